import { firstBatchIdAt, processOfBatchId } from '../db/batches/batch-id.ts'
import type { PackedBatch } from './packed-batch.ts'
import type { PackedReadings } from './packed-rows.ts'

/** A committed batch, as it waits. */
export interface HandedBatch extends Omit<PackedBatch, 'readings'> {
  readings: PackedReadings
  /** When it was handed over, by `performance.now()`. */
  committedAtMs: number
  /** Whether messages of its clients that arrived before it are still to be committed; absent: none are. */
  isAhead?: () => boolean
}

/**
 * A batch waits so long for one before it, or for older messages of its clients, that are not committed yet: longer than a batch
 * waits for the database until the spool takes it (INGEST_HOLD_MS, as it is by default).
 */
const ORDER_WAIT_MS = 3_000
/** Rows that are taken at once, about: between two turns the clock gets its own. */
const TURN_ROWS = 20_000
/** What was begun longer ago is not waited for: it is read from the database. */
const ANSWER_WAIT_MS = 1_000
/** How long the ledger is not read while batches wait for those before them. */
const LEDGER_WAIT_MS = 1_100

/**
 * Committed batches on their way from ingest to the evaluator, in memory. It is ahead of the ledger, never instead of it: what
 * finds no room here is read from there. Batches are committed beside each other, and handed over in the order of their ids, which is
 * that of their arrival, but for live messages, which pass the older ones of their hub: what comes out of order costs a refold.
 *
 * Closed at first, when it is full, and while the evaluator reads what it has missed; `open` when it has caught up.
 */
export class HandOver {
  readonly #rowsMax: number
  #batches: HandedBatch[] = []
  #rows = 0
  #isOpen = false
  /** Whether nothing is missing before what is in it. */
  #isWhole = true
  /** The highest id of those that were left to the ledger, and when the first one was since it was whole. */
  #droppedId = 0n
  #droppedAtMs: number | undefined
  #isNews = false
  #landedId = 0n
  /** The newest one that was handed over: it tells which process is ours. What the spool drains may be of an earlier one. */
  #newestId = 0n
  #wake: (() => void) | undefined
  #dropped = 0

  constructor(rowsMax: number) {
    this.#rowsMax = rowsMax
  }

  /**
   * Takes note of a committed batch. Of those with ids up to `landedId` none is under way any more. Never throws.
   */
  offer(batch: HandedBatch, landedId: bigint): void {
    if (batch.id > this.#newestId) this.#newestId = batch.id
    const rows = rowsOf(batch)
    if (this.#isOpen && this.#rows + rows > this.#rowsMax) this.#isOpen = false
    if (this.#isOpen) {
      this.#batches.push(batch)
      this.#rows += rows
    } else this.#drop(batch.id)
    this.landed(landedId)
  }

  /** A committed batch found no room on its way here: it and those after it must be read from the ledger. */
  leave(id: bigint, landedId: bigint): void {
    this.#isOpen = false
    this.#drop(id)
    this.landed(landedId)
  }

  /** Something was committed that is not handed over, or what a batch waited for is. */
  landed(landedId: bigint): void {
    if (landedId > this.#landedId) this.#landedId = landedId
    this.#isNews = true
    this.#wake?.()
  }

  /**
   * Whether a batch that the ledger shows is here, or will be in a moment: the ledger may know of a commit before its answer has
   * been read. One that was begun long ago comes from the spool, which hands nothing over.
   */
  isAwaited(id: bigint, nowMs = Date.now()): boolean {
    if (!this.#isOpen || processOfBatchId(id) !== processOfBatchId(this.#newestId)) return false
    if (this.#batches.some((batch) => batch.id === id)) return true
    return id > this.#landedId && id >= firstBatchIdAt(nowMs - ANSWER_WAIT_MS)
  }

  /** How many batches were left to the ledger since the last call. */
  takeDropped(): number {
    const dropped = this.#dropped
    this.#dropped = 0
    return dropped
  }

  #drop(id: bigint): void {
    this.#dropped += 1
    this.#droppedAtMs ??= performance.now()
    if (id > this.#droppedId) this.#droppedId = id
  }

  /**
   * The ledger has been read up to its end, `shownId` being the highest id that it has shown. What comes from now on is taken, but
   * waits a moment for the ledger to show what was left to it before: else that would come late, and be folded again. Not longer:
   * it may have been shown to an earlier session, or a transaction may hold the ledger back.
   */
  open(shownId: bigint): void {
    this.#isOpen = true
    const sinceMs = this.#droppedAtMs ?? Number.NEGATIVE_INFINITY
    this.#isWhole = shownId >= this.#droppedId || performance.now() - sinceMs >= ORDER_WAIT_MS
    if (this.#isWhole) this.#droppedAtMs = undefined
  }

  /** Forgets what is in it. */
  close(): void {
    this.#isOpen = false
    for (const { id } of this.#batches) this.#drop(id)
    this.#batches = []
    this.#rows = 0
  }

  /** How long the ledger is still not to be read: while there are batches whose turn has not come. */
  get ledgerWaitMs(): number {
    return this.#isWhole && this.#batches.length > 0 ? LEDGER_WAIT_MS : 0
  }

  /** How long the first of those has waited that are here; 0: none is. */
  get waitedMs(): number {
    const nowMs = performance.now()
    return nowMs - this.#batches.reduce((first, { committedAtMs }) => Math.min(first, committedAtMs), nowMs)
  }

  /** Whether so many rows wait that there may soon be no room. */
  get isCrowded(): boolean {
    return this.#rows * 2 > this.#rowsMax
  }

  /** Those whose turn it is, in order; the first of them where they are many. */
  take(): HandedBatch[] {
    if (!this.#isWhole) return []
    const oldestMs = performance.now() - ORDER_WAIT_MS
    const isDue = ({ id, committedAtMs, isAhead }: HandedBatch) =>
      committedAtMs <= oldestMs || (id <= this.#landedId && !isAhead?.())
    const taken = new Set<HandedBatch>()
    const due = this.#batches.filter(isDue).sort((a, b) => (a.id < b.id ? -1 : 1))
    let rows = 0
    for (const batch of due) {
      rows += rowsOf(batch)
      // One at least.
      if (taken.size > 0 && rows > TURN_ROWS) break
      taken.add(batch)
    }
    if (taken.size === 0) return []
    if (taken.size < due.length) this.#isNews = true
    this.#batches = this.#batches.filter((batch) => !taken.has(batch))
    this.#rows = this.#batches.reduce((sum, batch) => sum + rowsOf(batch), 0)
    return [...taken]
  }

  /** Resolves when something has been offered since the last call, or after a while, or when the signal is aborted. */
  async news(waitMs: number, signal: AbortSignal): Promise<void> {
    if (!this.#isNews && !signal.aborted) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, waitMs)
        this.#wake = () => {
          clearTimeout(timer)
          resolve()
        }
        signal.addEventListener('abort', this.#wake, { once: true })
      })
      if (this.#wake) signal.removeEventListener('abort', this.#wake)
      this.#wake = undefined
    }
    this.#isNews = false
  }
}

function rowsOf({ readings, doors }: HandedBatch): number {
  return readings.length + doors.length
}
