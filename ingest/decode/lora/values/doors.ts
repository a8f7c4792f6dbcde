import type { DoorState } from '../../../payloads.ts'

const WORDS: ReadonlyMap<string, DoorState> = new Map([
  ['open', 'open'],
  ['opened', 'open'],
  ['close', 'closed'],
  ['closed', 'closed'],
])

/** A door by a word of either form, or by a bit that is 1 when it is open. Null = it is no state of a door. */
export function doorState(value: unknown): DoorState | null {
  if (typeof value === 'string') return WORDS.get(value.trim().toLowerCase()) ?? null
  if (value === 1 || value === true) return 'open'
  if (value === 0 || value === false) return 'closed'
  return null
}
