import type { Arrival } from '../broker/types.ts'
import type { HubStatusRow } from '../db/batches/write-hub-statuses.ts'
import type { RejectedItem } from '../db/batches/write-rejected.ts'
import type { DoorRow } from '../db/copy/doors.ts'
import type { ReadingRow } from '../db/copy/readings.ts'

/** What a message is counted as. */
export type Subject = 'readings' | 'doors' | 'status'
export const SUBJECTS: readonly Subject[] = ['readings', 'doors', 'status']

/** A row with the message it came in, for the case that PostgreSQL refuses it. */
interface Origin {
  message: HeldMessage
  /** Index in its message. */
  item: number
}
export type PendingReading = ReadingRow & Origin
export type PendingDoor = DoorRow & Origin

/** A rejected item with what its answer to the hub repeats. */
export interface PendingReject extends RejectedItem {
  at?: number | string | undefined
  /** What it counts as, where its message brings both readings and door events. */
  subject?: Subject
}

/** A message that counts for its hub's receipts. */
export interface CountedMessage {
  hubId: number
  /** The hub's start id. */
  boot: string
  seq: number
  /** The first counter seen of that start, filled in on arrival; ledger rows of early versions are without. */
  first?: number
}

/** What a message counts as: its items of its subject, and the door events that an uplink brings beside readings. */
export function eachCount(
  { subject, items, doorItems }: Pick<HeldMessage, 'subject' | 'items' | 'doorItems'>,
  take: (subject: Subject, items: number) => void,
): void {
  take(subject, items - doorItems)
  if (doorItems > 0) take('doors', doorItems)
}

/** A message that ingest holds until all of it is durable; then it is answered and acknowledged. */
export interface HeldMessage {
  arrival: Arrival
  subject: Subject
  readings: readonly PendingReading[]
  doors: readonly PendingDoor[]
  /** See `addRejects`. */
  rejects: readonly PendingReject[]
  status: HubStatusRow | null
  /** Where the hub gave its start id and message counter. */
  receipt: CountedMessage | null
  seq: number | null
  /** Fields around the items that were ignored because they were bad, a line each. */
  notes: readonly string[]
  /** What it is counted as: its readings, events and rejects when it arrived. */
  items: number
  /** Those of `items` that count as door events in a message of readings: an uplink may bring both. */
  doorItems: number
  /** Read back from the spool: it was acknowledged long ago. */
  isSpooled: boolean
  /** Acknowledges the message, or ends the connection with an error. */
  done: (error?: Error) => void
}

export function addRejects(message: Pick<HeldMessage, 'rejects'>, rejects: readonly PendingReject[]): void {
  if (rejects.length === 0) return
  message.rejects = message.rejects.length === 0 ? rejects : [...message.rejects, ...rejects]
}
