import type { Draft } from './draft.ts'

/**
 * Whether all that a message brings was measured longer than `ageMs` before it arrived. What has no time of its own was
 * measured just now, and a message without items, such as a status or a reject, is not old either.
 */
export function isBacklog({ message, readings, doors }: Draft, ageMs: number): boolean {
  const items = readings.length > 0 ? readings : doors
  const oldMs = message.arrival.receivedAt - ageMs
  return items.length > 0 && items.every(({ atMs }) => atMs !== null && atMs < oldMs)
}
