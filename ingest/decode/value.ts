/** An object of JSON whose fields may be anything. */
export interface JsonRecord {
  readonly [field: string]: unknown
}

/** A JSON object; an array is none. */
export function isRecord(value: unknown): value is JsonRecord {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** In every payload null means absent. */
export function isAbsent<T>(value: T | null | undefined): value is null | undefined {
  return value === undefined || value === null
}

const QUOTED_CHARS_MAX = 40

/** A value as it stands in a detail: never an object's content, which may be of any size and depth. */
export function quote(value: unknown): string {
  if (value === undefined) return 'nothing'
  if (Array.isArray(value)) return 'an array'
  if (typeof value === 'object' && value !== null) return 'an object'
  if (typeof value === 'number' && !Number.isFinite(value)) return 'NaN, Infinity or a number too large'
  if (typeof value !== 'string') return String(value)
  const ending = value.length > QUOTED_CHARS_MAX ? '…' : ''
  return `${JSON.stringify(value.slice(0, QUOTED_CHARS_MAX))}${ending}`
}
