import type { Delivery, PagingLimits } from './types.ts'

/** A message that was written before, to one recipient over one channel. */
export interface EarlierMessage {
  organizationId: number
  channel: string
  recipient: string
  scheduledAtMs: number
}

type Recipient = Omit<EarlierMessage, 'scheduledAtMs'>

/**
 * Gives each delivery its time, so that nobody is flooded: what a recipient gets at one time is one message. Up to
 * `singlesMax` messages in `singlesWindowMs` go at once; after that, whatever comes for the recipient waits for the next
 * message, of which there is one each `groupMs`. `earlier` has the messages since `nowMs - singlesWindowMs`. What waits
 * for the end of quiet hours keeps its time.
 */
export function spread(
  deliveries: readonly Delivery[],
  earlier: readonly EarlierMessage[],
  { nowMs, limits }: { nowMs: number; limits: PagingLimits },
): { deliveries: Delivery[]; grouped: number } {
  const timesOf = new Map<string, Set<number>>()
  for (const message of earlier) {
    const times = timesOf.get(keyOf(message)) ?? new Set()
    timesOf.set(keyOf(message), times.add(message.scheduledAtMs))
  }
  const slotOf = new Map<string, number>()
  const spreadOut = deliveries.map((delivery) => {
    if (delivery.scheduledAtMs > nowMs || delivery.isUnreachable) return delivery
    const key = keyOf(delivery)
    const slot = slotOf.get(key) ?? nextSlot([...(timesOf.get(key) ?? [])], nowMs, limits)
    slotOf.set(key, slot)
    return { ...delivery, scheduledAtMs: slot }
  })
  const grouped = spreadOut.filter((delivery, at) => delivery.scheduledAtMs !== deliveries[at]?.scheduledAtMs)
  return { deliveries: spreadOut, grouped: grouped.length }
}

function nextSlot(
  times: readonly number[],
  nowMs: number,
  { singlesMax, singlesWindowMs, groupMs }: PagingLimits,
): number {
  // Later ones wait for the end of quiet hours: no page waits with them.
  const recent = times.filter((time) => time > nowMs - singlesWindowMs && time <= nowMs + groupMs)
  if (recent.length < singlesMax) return nowMs
  const last = Math.max(...recent)
  return last > nowMs ? last : Math.max(last + groupMs, nowMs)
}

function keyOf({ organizationId, channel, recipient }: Recipient): string {
  return `${organizationId} ${channel} ${recipient}`
}
