import type { Arrival, Principal, Route } from '../broker/types.ts'
import type { BatchName } from './batch-ids.ts'
import { eachCount, type HeldMessage, type Subject } from './message.ts'
import type { SpooledBatch, SpooledMessage } from './spool/types.ts'

/**
 * Messages as the spool keeps them: raw, so that they are decoded and placed again when they are drained. `tried` says
 * that they may be committed already under this name.
 */
export function toSpooled(messages: readonly HeldMessage[], key: BatchName, tried: boolean): SpooledBatch {
  return {
    id: key.id,
    writer: key.writer,
    tried,
    items: countItems(messages),
    messages: messages.map(spooledOf),
  }
}

export function countItems(messages: readonly HeldMessage[]): Record<Subject, number> {
  const items = { readings: 0, doors: 0, status: 0 }
  for (const message of messages) {
    eachCount(message, (subject, count) => {
      items[subject] += count
    })
  }
  return items
}

function spooledOf(message: HeldMessage): SpooledMessage {
  const { topic, payload, oversizedBytes, qos, isWill, clientId, principal } = message.arrival
  return {
    topic,
    payload,
    qos,
    isWill,
    receivedAt: message.arrival.receivedAt + arrivalShiftMs(message),
    clientId,
    principal,
    ...(oversizedBytes === undefined ? {} : { oversizedBytes }),
  }
}

/**
 * A reading without a time got its time of arrival, or a little later where that was taken. So that it gets no time that
 * another one has when it is placed again, its message counts as arrived then.
 */
function arrivalShiftMs({ arrival, readings, doors }: HeldMessage): number {
  let shift = 0
  for (const row of readings)
    if (row.source === 'arrival') shift = Math.max(shift, row.recordedAtMs - arrival.receivedAt)
  for (const row of doors)
    if (row.source === 'arrival') shift = Math.max(shift, row.occurredAtMs - arrival.receivedAt)
  return shift
}

/** The arrival again. */
export function arrivalOf(
  message: SpooledMessage,
  routeOf: (principal: Principal, topic: string) => Route | undefined,
): Arrival {
  const { buffer, byteOffset, byteLength } = message.payload
  return {
    ...message,
    route: routeOf(message.principal, message.topic) ?? { kind: 'unknown' },
    payload: Buffer.from(buffer as ArrayBuffer, byteOffset, byteLength),
    dup: true,
    arrivedAtMs: performance.now(),
  }
}
