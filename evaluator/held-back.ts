import { LEDGER_START, type LedgerCursor } from '../db/evaluation/cursor.ts'
import { currentSnapshot, heldBackPage, type LedgerPage } from '../db/evaluation/ledger-page.ts'
import type { Read } from './reads.ts'

/**
 * The cursor of the ledger stops at the oldest transaction that is still open, whoever left it so, in whichever database of the
 * cluster. What is committed behind it is read here, by what one snapshot after the other shows: all of it once, though not in the
 * order of transactions.
 */
export class HeldBack {
  readonly #limit: number
  readonly #settleMs: number
  readonly #now: () => number
  /** What this snapshot shows has been looked at. */
  #read: string | undefined
  #next: { snapshot: string; takenAtMs: number; askedAtMs: number } | undefined
  /** All that was committed by then has been read; epoch milliseconds. */
  heardToMs = -Infinity
  /** So far the next snapshot has been read. */
  after: LedgerCursor = LEDGER_START

  /** What has been visible for `settleMs` and the cursor has not reached is held back; before, its turn comes in order. */
  constructor({ limit, settleMs, now }: { limit: number; settleMs: number; now: () => number }) {
    this.#limit = limit
    this.#settleMs = settleMs
    this.#now = now
  }

  /** Behind the cursor; undefined: it is not time to look. `noteTaken` then says how far it was read. */
  async next(read: Read, cursor: LedgerCursor): Promise<LedgerPage | undefined> {
    this.#next ??= await this.#snapshot(read)
    const { snapshot, takenAtMs } = this.#next
    if (performance.now() - takenAtMs < this.#settleMs) return undefined
    const span = { from: this.#read, to: snapshot, after: this.after, limit: this.#limit }
    return read((client) => heldBackPage(client, cursor, { ...span, nowMs: this.#now() }))
  }

  async #snapshot(read: Read) {
    const askedAtMs = this.#now()
    return { snapshot: await read(currentSnapshot), takenAtMs: performance.now(), askedAtMs }
  }

  /** `taken`: the beginning of the page, or all of it. */
  noteTaken(page: LedgerPage, taken: LedgerPage): void {
    this.after = taken.cursor
    if (page.isFull || taken.batches.length < page.batches.length) return
    if (this.#next) this.heardToMs = this.#next.askedAtMs
    this.#read = this.#next?.snapshot
    this.#next = undefined
    this.after = LEDGER_START
  }
}
