import type { DoorState, Fault, REJECT_REASONS } from '../../ingest/payloads.ts'
import type { Measurement, PublisherName } from '../types.ts'

export type RejectReason = (typeof REJECT_REASONS)[number]

/** A reading as its publisher tells it: `at` is what the publisher's clock showed (epoch milliseconds). */
export interface SentReading {
  device: string
  at: number
  temperature?: number
  humidity?: number
  battery?: number
  rssi?: number
  snr?: number
  fault?: Fault
}

export interface SentDoor {
  device: string
  at: number
  state: DoorState
}

/** An item that FrostGuard must set aside, and for which reason. */
export interface BadItem {
  json: Record<string, unknown>
  reason: RejectReason
}

/** What will be one message, before it has a number and bytes. */
export type Draft = { bad?: BadItem } & (
  | { channel: 'readings'; items: readonly SentReading[] }
  | { channel: 'doors'; items: readonly SentDoor[] }
)

/** What the ledger knows of a message that was attempted; the ledger alone looks into it. */
export interface LedgerEntry {
  readonly id: number
  readonly firstReading: number
  readonly readings: number
  readonly firstDoor: number
  readonly doors: number
  readonly rejects: readonly RejectReason[]
  state: 'pending' | 'acknowledged' | 'dropped'
}

/** A message with its bytes, which stay the same however often it is sent. */
export interface Message {
  readonly topic: string
  readonly payload: Buffer
  /** The good items only. */
  readonly readings: readonly SentReading[]
  readonly doors: readonly SentDoor[]
  /** What must be set aside of it, item by item. */
  readonly rejects: readonly RejectReason[]
  /** Set with the first attempt to send it. */
  entry: LedgerEntry | undefined
  /** Sent before and acknowledged: a duplicate on purpose. */
  readonly isRepeat: boolean
}

const DEVICE_PREFIX = 'device:'

/** The DevEUI of a publisher that is a device with a connection of its own; undefined for a hub. */
export function ownDevice(publisher: PublisherName): string | undefined {
  return publisher.startsWith(DEVICE_PREFIX) ? publisher.slice(DEVICE_PREFIX.length) : undefined
}

/** The topic of a publisher's channel, docs/protocol.md "MQTT". */
export function topicOf(publisher: PublisherName, channel: string): string {
  const device = ownDevice(publisher)
  return device === undefined ? `v1/hubs/${publisher}/${channel}` : `v1/devices/${device}/${channel}`
}

/** A measurement with the time that its publisher's clock showed. */
export function sentItem(measurement: Measurement, at: number): SentReading | SentDoor {
  const { kind: _kind, devEui: device, measuredAtMs: _measuredAtMs, ...values } = measurement
  return { device, at, ...values }
}

/** The number of a hub's message: its start and its counter since then. */
export interface MessageNumber {
  boot: string
  seq: number
}

/**
 * The bytes of a draft. A hub's message has its number; a device of its own sends single items without one, and leaves
 * out `device`, which its topic names.
 */
export function encodeMessage(
  publisher: PublisherName,
  draft: Draft,
  number: MessageNumber & { sentAtMs: number },
): Message {
  const { boot, seq, sentAtMs } = number
  const isDevice = ownDevice(publisher) !== undefined
  const good: unknown[] = isDevice ? draft.items.map(withoutDevice) : [...draft.items]
  const items = draft.bad ? [...good, draft.bad.json] : good
  const list = draft.channel === 'readings' ? 'readings' : 'events'
  const hubJson = { boot, seq, sent_at: sentAtMs, [list]: items }
  return {
    topic: topicOf(publisher, draft.channel),
    payload: Buffer.from(JSON.stringify(isDevice ? singleIfAlone(items) : hubJson)),
    readings: draft.channel === 'readings' ? draft.items : [],
    doors: draft.channel === 'doors' ? draft.items : [],
    rejects: draft.bad ? [draft.bad.reason] : [],
    entry: undefined,
    isRepeat: false,
  }
}

/** Bytes that are no message at all: set aside whole. */
export function garbageMessage(topic: string, payload: Buffer): Message {
  const rejects: RejectReason[] = ['malformed']
  return { topic, payload, readings: [], doors: [], rejects, entry: undefined, isRepeat: false }
}

function withoutDevice({ device: _device, ...rest }: SentReading | SentDoor) {
  return rest
}

function singleIfAlone(items: readonly unknown[]): unknown {
  return items.length === 1 ? items[0] : items
}
