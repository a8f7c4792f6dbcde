import type { Draft } from './draft.ts'

/**
 * Whether all readings of a message were measured longer than `ageMs` before it arrived. What has no time of its own was
 * measured just now. Door events are few, and statuses and last wills say how it is now: they are never old.
 */
export function isBacklog({ message, readings }: Draft, ageMs: number): boolean {
  const { isWill, receivedAt } = message.arrival
  const oldMs = receivedAt - ageMs
  return !isWill && readings.length > 0 && readings.every(({ atMs }) => atMs !== null && atMs < oldMs)
}
