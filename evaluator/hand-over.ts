import { firstBatchIdAt, processOfBatchId } from '../db/batches/batch-id.ts'
import type { CommittedBatch } from '../ingest/committed.ts'
import { type HandedDoor, handedDoors, MessageNumbers, PackedReadings } from './packed-rows.ts'

/** A committed batch, as it waits. */
export interface HandedBatch extends Pick<CommittedBatch, 'id' | 'isAhead'> {
  readings: PackedReadings
  doors: readonly HandedDoor[]
  /** When it was handed over, by `performance.now()`. */
  committedAtMs: number
}

/**
 * A batch waits so long for one before it, or for older messages of its clients, that are not committed yet: longer than commits
 * take under full load.
 */
const ORDER_WAIT_MS = 1_000
/** What was begun longer ago is not waited for: it is read from the database. */
const ANSWER_WAIT_MS = 1_000
/** Messages are numbered up to here, and then from the beginning. */
const MESSAGES_MAX = 2 ** 30

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
  /** The highest id of those that were left to the ledger. */
  #droppedId = 0n
  #isNews = false
  #settledId = 0n
  /** The process whose batches are handed over, by the number in their ids. */
  #process: number | undefined
  #wake: (() => void) | undefined
  #dropped = 0
  #messages = 0

  constructor(rowsMax: number) {
    this.#rowsMax = rowsMax
  }

  /** Takes note of a committed batch; undefined: one that must be read from the ledger. Cheap, and never throws. */
  offer(batch: CommittedBatch | undefined, settledId: bigint): void {
    this.#settledId = settledId
    if (batch !== undefined) this.#put(batch)
    this.#isNews = true
    this.#wake?.()
  }

  #put({ id, readings, doors, isAhead }: CommittedBatch): void {
    this.#process ??= processOfBatchId(id)
    const rows = readings.length + doors.length
    if (this.#isOpen && this.#rows + rows > this.#rowsMax) this.#isOpen = false
    if (!this.#isOpen) {
      this.#drop(id)
      return
    }
    const messages = new MessageNumbers(this.#messages)
    this.#batches.push({
      id,
      readings: new PackedReadings(readings, messages),
      doors: handedDoors(doors, messages),
      committedAtMs: performance.now(),
      ...(isAhead ? { isAhead } : {}),
    })
    this.#messages = messages.next % MESSAGES_MAX
    this.#rows += rows
  }

  /**
   * Whether a batch that the ledger shows is here, or will be in a moment: the ledger may know of a commit before its answer has
   * been read. One that was begun long ago comes from the spool, which hands nothing over.
   */
  isAwaited(id: bigint, nowMs = Date.now()): boolean {
    if (!this.#isOpen || processOfBatchId(id) !== this.#process) return false
    if (this.#batches.some((batch) => batch.id === id)) return true
    return id > this.#settledId && id >= firstBatchIdAt(nowMs - ANSWER_WAIT_MS)
  }

  /** How many batches were left to the ledger since the last call. */
  takeDropped(): number {
    const dropped = this.#dropped
    this.#dropped = 0
    return dropped
  }

  #drop(id: bigint): void {
    this.#dropped += 1
    if (id > this.#droppedId) this.#droppedId = id
  }

  /**
   * The ledger has been read up to its end, `shownId` being the highest id that it has shown. What comes from now on is taken, but
   * has to wait until the ledger has shown what was left to it before: else that would come late, and be folded again.
   */
  open(shownId: bigint): void {
    this.#isOpen = true
    this.#isWhole = shownId >= this.#droppedId
  }

  /** Forgets what is in it. */
  close(): void {
    this.#isOpen = false
    for (const { id } of this.#batches) this.#drop(id)
    this.#batches = []
    this.#rows = 0
  }

  /** Whether there are batches whose turn has not come. */
  get isWaiting(): boolean {
    return this.#isWhole && this.#batches.length > 0
  }

  /** Those whose turn it is, in order. */
  take(): HandedBatch[] {
    if (!this.#isWhole) return []
    const oldestMs = performance.now() - ORDER_WAIT_MS
    const isDue = ({ id, committedAtMs, isAhead }: HandedBatch) =>
      committedAtMs <= oldestMs || (id <= this.#settledId && !isAhead?.())
    const due = this.#batches.filter(isDue)
    if (due.length === 0) return due
    this.#batches = this.#batches.filter((batch) => !isDue(batch))
    this.#rows = this.#batches.reduce((sum, batch) => sum + rowsOf(batch), 0)
    return due.sort((a, b) => (a.id < b.id ? -1 : 1))
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
