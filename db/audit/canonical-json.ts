/**
 * One text per JSON value, whatever the order in which its fields were stored: object keys sorted by UTF-16 code
 * unit, no white space, numbers and strings as `JSON.stringify` writes them, dates as ISO 8601, undefined fields left
 * out. For what JSON can hold this is RFC 8785 (JSON Canonicalization Scheme).
 */
export function canonicalJson(value: unknown): string {
  if (value === null || typeof value !== 'object' || value instanceof Date)
    return JSON.stringify(value) ?? 'null'
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join()}]`
  const fields = Object.entries(value)
    .filter(([, field]) => field !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, field]) => `${JSON.stringify(key)}:${canonicalJson(field)}`)
  return `{${fields.join()}}`
}
