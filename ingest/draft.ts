import type { Arrival, Route } from '../broker/types.ts'
import type { HubStatusRow } from '../db/batches/write-hub-statuses.ts'
import { type DoorItem, decodeDoors } from './decode/doors.ts'
import type { Envelope } from './decode/envelope.ts'
import type { DecodeContext } from './decode/item.ts'
import { describeUnknown, type ItemDescription } from './decode/items.ts'
import { decodeUplink, type TimeOfFrame } from './decode/lora/uplink-items.ts'
import { decodeReadings, type ReadingItem } from './decode/readings.ts'
import type { Reject } from './decode/reject.ts'
import { decodeStatus } from './decode/status.ts'
import type { Frame } from './lora/frames.ts'
import { addRejects, type HeldMessage, type PendingReject, type Subject } from './message.ts'
import { isUplink, type NetworkRoute } from './network-route.ts'
import { isStranger } from './strangers.ts'

const INT32_MAX = 2_147_483_647
/** Shared by all messages: most have none of most things. */
const NONE: readonly never[] = []

/** A message with its items decoded, their devices not found yet. */
export interface Draft {
  message: HeldMessage
  readings: readonly ReadingItem[]
  doors: readonly DoorItem[]
  describe: (item: number) => ItemDescription
  /** The frame that brought an uplink, and whose it is. */
  frame?: Frame & { device: string }
}

/**
 * Decodes one arrival by its topic. Pure but for `timeOfFrame`, and never throws: what cannot be used is among the
 * message's rejects.
 */
export function draftMessage(
  arrival: Arrival,
  done: (error?: Error) => void,
  timeOfFrame?: TimeOfFrame,
): Draft {
  const message = openMessage(arrival, done)
  const draft: Draft = { message, readings: NONE, doors: NONE, describe: describeUnknown }
  if (arrival.oversizedBytes !== undefined) {
    message.rejects = [wholeReject('too_large', oversized(arrival.oversizedBytes))]
  } else if (message.subject === 'status') {
    takeStatus(message)
  } else if (arrival.route.kind === 'hub' || arrival.route.kind === 'device') {
    const context = decodeContext(arrival)
    const decoded =
      message.subject === 'doors'
        ? decodeDoors(arrival.payload, context)
        : decodeReadings(arrival.payload, context)
    takeEnvelope(message, decoded.envelope)
    if (decoded.rejects.length > 0) message.rejects = decoded.rejects.map(pending)
    draft.describe = decoded.describe
    if (message.subject === 'doors') draft.doors = decoded.items as readonly DoorItem[]
    else draft.readings = decoded.items as readonly ReadingItem[]
  } else if (isUplink(arrival.route)) {
    takeUplink(draft, arrival.route, timeOfFrame)
  }
  message.items = draft.readings.length + draft.doors.length + message.rejects.length
  return draft
}

/** An uplink brings both readings and door events: it counts as readings, its door events as door events. */
function takeUplink(draft: Draft, route: NetworkRoute, timeOfFrame: TimeOfFrame | undefined): void {
  const { message } = draft
  const { organizationId } = message.arrival.principal
  const { payload, receivedAt } = message.arrival
  const { readings, doors, rejects, describe, heard } = decodeUplink(payload, {
    server: route.kind,
    topicDevice: route.kind === 'chirpstack' ? route.devEui : route.deviceId,
    receivedAtMs: receivedAt,
    ...(timeOfFrame && { timeOfFrame: (uplink) => timeOfFrame({ ...uplink, organizationId }) }),
  })
  Object.assign(draft, { readings, doors, describe })
  addRejects(message, rejects.map(pending))
  message.doorItems = doors.length
  // What was typed into a console has no counter.
  if (heard && !heard.uplink.isSimulated) {
    const { fCnt, devAddr, networkAtMs } = heard.uplink
    // A gateway whose clock runs ahead would make all that follows look late.
    const atMs = Math.min(networkAtMs ?? receivedAt, receivedAt)
    draft.frame = { device: heard.device, fCnt, devAddr, atMs }
  }
}

/** The draft of a message that is rejected whole. */
export function rejectedDraft(arrival: Arrival, done: (error?: Error) => void, detail: string): Draft {
  const message = openMessage(arrival, done)
  message.rejects = [wholeReject('invalid', detail)]
  message.items = 1
  return { message, readings: NONE, doors: NONE, describe: describeUnknown }
}

function openMessage(arrival: Arrival, done: (error?: Error) => void): HeldMessage {
  return {
    arrival,
    done,
    subject: subjectOf(arrival.route),
    readings: NONE,
    doors: NONE,
    rejects: NONE,
    status: null,
    receipt: null,
    seq: null,
    notes: NONE,
    items: 0,
    doorItems: 0,
    isSpooled: false,
  }
}

function subjectOf(route: Route): Subject {
  return route.kind === 'hub' || route.kind === 'device' ? route.channel : 'readings'
}

function decodeContext(arrival: Arrival): DecodeContext {
  const { route, receivedAt } = arrival
  return route.kind === 'device'
    ? { receivedAtMs: receivedAt, impliedDevEui: route.devEui }
    : { receivedAtMs: receivedAt }
}

function takeEnvelope(message: HeldMessage, envelope: Envelope): void {
  const { principal } = message.arrival
  if (envelope.notes.length > 0) message.notes = envelope.notes
  message.seq = envelope.seq ?? null
  // Nobody knows which hub a stranger is: its counters are no hub's.
  if (principal.kind !== 'hub' || isStranger(principal)) return
  if (envelope.boot !== undefined && envelope.seq !== undefined) {
    message.receipt = { hubId: principal.id, boot: envelope.boot, seq: envelope.seq }
  }
}

function takeStatus(message: HeldMessage): void {
  const { arrival } = message
  const decoded = decodeStatus(arrival.payload, { receivedAtMs: arrival.receivedAt })
  if (!decoded.ok) {
    message.rejects = [pending(decoded.reject)]
    return
  }
  const { state, firmware, queued, notes } = decoded.status
  message.notes = notes
  if (isStranger(arrival.principal)) {
    message.rejects = [wholeReject('unknown_device', unknownHub(arrival.principal.name))]
    return
  }
  const row: HubStatusRow = {
    hubId: arrival.principal.id,
    isOnline: state === 'online',
    firmware: firmware ?? null,
    queued: queued === undefined ? null : Math.min(queued, INT32_MAX),
    receivedAtMs: arrival.receivedAt,
  }
  message.status = row
}

function pending(reject: Reject): PendingReject {
  const { item, reason, detail, device, at } = reject
  return { item, reason, detail, device: device ?? null, at, sqlstate: null }
}

function wholeReject(
  reason: 'too_large' | 'malformed' | 'invalid' | 'unknown_device',
  detail: string,
): PendingReject {
  return { item: null, reason, detail, device: null, sqlstate: null }
}

function unknownHub(hub: string): string {
  return `expected a hub of the fleet (fleet:apply adds one), got "${hub}"`
}

function oversized(bytes: number): string {
  return `the message has ${bytes} bytes, more than MQTT_MESSAGE_BYTES_MAX allows: send fewer readings in each`
}
