import type { Batch, ReceiptMark } from '../db/batches/write-batch.ts'
import type { HubStatusRow } from '../db/batches/write-hub-statuses.ts'
import type { RejectedMessage } from '../db/batches/write-rejected.ts'
import {
  addRejects,
  type CountedMessage,
  type HeldMessage,
  type PendingDoor,
  type PendingReading,
  type PendingReject,
} from './message.ts'

/** What one transaction is to make durable, and what sealing it has found to be there twice. */
export interface SealedBatch {
  readings: PendingReading[]
  doors: PendingDoor[]
  rejects: { message: HeldMessage; item: PendingReject }[]
  statuses: HubStatusRow[]
  receipts: ReceiptMark[]
  /** Names of spooled batches in it, beside the one that it is written under; see `Batch.drained`. */
  drained?: Batch['drained']
  /** Readings and events dropped because the batch has them already. */
  duplicates: { readings: number; doors: number }
}

/** Puts messages together, in order of arrival; of readings with the same device and time the first one stays. */
export function sealBatch(messages: readonly HeldMessage[]): SealedBatch {
  const readings = new FirstByKey<PendingReading>()
  const doors = new FirstByKey<PendingDoor>()
  const batch: SealedBatch = {
    readings: readings.rows,
    doors: doors.rows,
    rejects: [],
    statuses: [],
    receipts: [],
    duplicates: { readings: 0, doors: 0 },
  }
  for (const message of messages) {
    if (message.status) batch.statuses.push(message.status)
    if (message.receipt) batch.receipts.push(receiptMark(message.receipt))
    for (const row of message.readings) readings.add(row.deviceId, row.recordedAtMs, row)
    for (const row of message.doors)
      doors.add(row.deviceId, row.occurredAtMs * 2 + Number(row.state === 'open'), row)
    for (const item of message.rejects) batch.rejects.push({ message, item })
  }
  batch.duplicates.readings = readings.dropped
  batch.duplicates.doors = doors.dropped
  return batch
}

/** The batch as the database takes it, under its id. */
export function toBatch(sealed: SealedBatch, { id, writer }: Pick<Batch, 'id' | 'writer'>): Batch {
  return {
    id,
    writer,
    readings: sealed.readings,
    doors: sealed.doors,
    rejected: groupRejects(sealed.rejects),
    hubStatuses: sealed.statuses,
    receipts: sealed.receipts,
    ...(sealed.drained ? { drained: sealed.drained } : {}),
  }
}

/** How many rows could each be the one that PostgreSQL refuses. */
export function rowCount(sealed: SealedBatch): number {
  return sealed.readings.length + sealed.doors.length
}

/** Whether there is more in the batch than rows. */
export function hasMoreThanRows({ rejects, statuses, receipts }: SealedBatch): boolean {
  return rejects.length + statuses.length + receipts.length > 0
}

const NO_ROWS = { readings: [], doors: [] }
const ONLY_ROWS = { rejects: [], statuses: [], receipts: [], duplicates: { readings: 0, doors: 0 } }

/** The rows, and apart from them all the rest. */
export function splitRows(sealed: SealedBatch): [SealedBatch, SealedBatch] {
  const { readings, doors } = sealed
  return [
    { ...ONLY_ROWS, readings, doors },
    { ...sealed, ...NO_ROWS, drained: undefined },
  ]
}

/** Two halves of a batch of rows. */
export function halveRows({ readings, doors }: SealedBatch): [SealedBatch, SealedBatch] {
  const half = Math.ceil((readings.length + doors.length) / 2)
  const cut = Math.min(half, readings.length)
  return [
    { ...ONLY_ROWS, readings: readings.slice(0, cut), doors: doors.slice(0, half - cut) },
    { ...ONLY_ROWS, readings: readings.slice(cut), doors: doors.slice(half - cut) },
  ]
}

/** The batch with its only row turned into a reject that carries PostgreSQL's verdict. */
export function rejectOnlyRow(sealed: SealedBatch, error: { message: string; code?: string }): SealedBatch {
  const row = sealed.readings[0] ?? sealed.doors[0]
  if (!row || rowCount(sealed) !== 1) throw new Error('only a batch of one row can be rejected as a row')
  const item: PendingReject = {
    reason: 'invalid',
    detail: `the database refused it: ${error.message}`,
    device: null,
    item: row.item,
    sqlstate: error.code ?? null,
    subject: sealed.readings.length > 0 ? 'readings' : 'doors',
  }
  addRejects(row.message, [item])
  return { ...sealed, ...NO_ROWS, drained: undefined, rejects: [{ message: row.message, item }] }
}

function receiptMark({ hubId, boot, seq, first }: CountedMessage): ReceiptMark {
  return first === undefined ? [hubId, boot, seq] : [hubId, boot, seq, first]
}

function groupRejects(rejects: SealedBatch['rejects']): RejectedMessage[] {
  const byMessage = Map.groupBy(rejects, ({ message }) => message)
  return [...byMessage].map(([{ arrival }, items]) => ({
    topic: arrival.topic,
    client: arrival.principal.username,
    organizationId: arrival.principal.organizationId,
    receivedAtMs: arrival.receivedAt,
    payload: arrival.payload,
    sizeBytes: arrival.oversizedBytes ?? arrival.payload.length,
    items: items.map(({ item }) => item),
  }))
}

/** Rows by device and a number; a later row with the same key is dropped and counted. */
class FirstByKey<T> {
  readonly rows: T[] = []
  dropped = 0
  readonly #keys = new Map<number, Keys>()

  add(deviceId: number, key: number, row: T): void {
    const keys = this.#keys.get(deviceId)
    if (keys === undefined) this.#keys.set(deviceId, { newest: key, ascending: [key], all: undefined })
    else if (!addKey(keys, key)) {
      this.dropped += 1
      return
    }
    this.rows.push(row)
  }
}

/** Of one device. */
interface Keys {
  newest: number
  /** While each is above the one before, as most devices send: an array of numbers costs a fraction of a set. */
  ascending: number[]
  /** All of them, from when one came out of order. */
  all: Set<number> | undefined
}

/** Says whether the key is new. */
function addKey(keys: Keys, key: number): boolean {
  if (keys.all === undefined) {
    if (key > keys.newest) {
      keys.newest = key
      keys.ascending.push(key)
      return true
    }
    keys.all = new Set(keys.ascending)
  }
  if (keys.all.has(key)) return false
  keys.all.add(key)
  return true
}
