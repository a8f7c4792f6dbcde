import type { HeldMessage } from './message.ts'

/** What the hub is told of the items of one message that were not stored; null when there are none or nobody to tell. */
export function rejectedAnswer(message: HeldMessage): { topic: string; payload: string } | null {
  const { principal } = message.arrival
  if (message.rejects.length === 0 || principal.kind !== 'hub') return null
  const items = message.rejects.map(({ reason, detail, device, at }) => ({
    reason,
    detail,
    ...(device === null ? {} : { device }),
    ...(at === undefined ? {} : { at }),
    ...(message.seq === null ? {} : { seq: message.seq }),
  }))
  return { topic: `v1/hubs/${principal.name}/rejected`, payload: JSON.stringify(items) }
}
