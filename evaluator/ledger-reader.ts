import type { LedgerCursor } from '../db/evaluation/cursor.ts'
import {
  type LedgerBatch,
  type LedgerPage,
  ledgerPage,
  type ShownPage,
} from '../db/evaluation/ledger-page.ts'
import { HeldBack } from './held-back.ts'
import type { Read } from './reads.ts'

/** Batches asked for at once. */
const PAGE_BATCHES = 256
/** Batches that are ahead of the ledger, and those that it has just shown; beyond it, some are looked at twice. */
const REMEMBERED_MAX = 100_000

/** Longer than ingest's own transactions take under load: what passes them comes out of order, and costs refolds. */
const SETTLE_MS = 5_000

/** What the ledger shows next. */
export interface LedgerNews {
  /** Those that were not handed over: at most so many rows, one batch at least. */
  batches: LedgerBatch[]
  /** There is more at once. */
  isFull: boolean
  /** The cursor has reached its end: these are of what an open transaction hides from it. */
  isHeldBack: boolean
  /** Of the oldest one, epoch milliseconds; null where there is none. */
  oldestCommittedAtMs: number | null
  /** All that was committed by then is read with these. Epoch milliseconds; -Infinity: it is not known. */
  heardToMs: number
}

/**
 * Reads the ledger from its cursor on, past what was handed over in memory before; and what a transaction that somebody leaves
 * open keeps from the cursor.
 */
export class LedgerReader {
  readonly #rowsMax: number
  readonly #now: () => number
  /** Applied, and not yet shown by the ledger. */
  readonly #ahead = new Set<bigint>()
  /** Shown by the ledger, and perhaps still to be handed over. */
  readonly #shown = new Set<bigint>()
  readonly #heldBack: HeldBack
  /** Everything up to it has been applied. */
  cursor: LedgerCursor
  /** The highest id seen. */
  newestId = 0n
  /** The highest id that the ledger has shown. */
  shownId = 0n

  /** `now`: epoch milliseconds. */
  constructor(cursor: LedgerCursor, rowsMax: number, { settleMs = SETTLE_MS, now = Date.now } = {}) {
    this.cursor = cursor
    this.#rowsMax = rowsMax
    this.#now = now
    this.#heldBack = new HeldBack({ limit: PAGE_BATCHES, settleMs, now })
  }

  /** Takes note of a batch that was handed over; false when the ledger has shown it before. */
  takeHanded(id: bigint): boolean {
    if (this.#shown.delete(id) || this.#ahead.has(id)) return false
    this.#noteId(id)
    remember(this.#ahead, id)
    return true
  }

  #noteId(id: bigint): void {
    if (id > this.newestId) this.newestId = id
  }

  /**
   * The next page, up to the first batch that is about to be handed over. Its batches must be applied before the next one is
   * asked for.
   */
  async next(read: Read, isAwaited: (id: bigint) => boolean): Promise<LedgerNews> {
    let askedAtMs = -Infinity
    const page = await read((client) => {
      askedAtMs = this.#now()
      return ledgerPage(client, this.cursor, { limit: PAGE_BATCHES, nowMs: askedAtMs })
    })
    const { batches, cursor, isFull } = this.#withinRows(
      this.#untilAwaited(page, isAwaited, this.cursor),
      this.cursor,
    )
    this.cursor = cursor
    const unseen = batches.filter(({ id }) => {
      this.#noteShown(id)
      if (this.#ahead.delete(id)) return false
      remember(this.#shown, id)
      return true
    })
    const news =
      isFull || unseen.length > 0
        ? newsOf(unseen, { isFull, isHeldBack: false })
        : await this.#nextHeldBack(read, isAwaited)
    const heardToMs = this.#readTo(page, { count: batches.length, askedAtMs })
    return { ...news, heardToMs: Math.max(heardToMs, this.#heldBack.heardToMs) }
  }

  /** When the first batch was committed that is not read yet, `count` of a page being so; where there is none, when it was asked for. */
  #readTo(page: ShownPage, { count, askedAtMs }: { count: number; askedAtMs: number }): number {
    const others = [...page.batches.slice(count), ...page.hidden]
    const next = others.find(({ id }) => !this.#ahead.has(id))
    if (!next && page.isWhole) return askedAtMs
    // Of what is behind the page it is known that it was committed later.
    return (next ?? page.hidden.at(-1) ?? page.batches.at(-1))?.committedAtMs ?? -Infinity
  }

  async #nextHeldBack(read: Read, isAwaited: (id: bigint) => boolean): Promise<News> {
    const page = await this.#heldBack.next(read, this.cursor)
    if (!page) return newsOf([], { isFull: false, isHeldBack: true })
    const { after } = this.#heldBack
    const taken = this.#withinRows(this.#untilAwaited(page, isAwaited, after), after)
    this.#heldBack.noteTaken(page, taken)
    const unseen = taken.batches.filter(({ id }) => !this.#ahead.has(id))
    for (const { id } of unseen) {
      this.#noteShown(id)
      remember(this.#ahead, id)
    }
    return newsOf(unseen, { isFull: taken.isFull, isHeldBack: true })
  }

  #noteShown(id: bigint): void {
    this.#noteId(id)
    if (id > this.shownId) this.shownId = id
  }

  #untilAwaited(page: LedgerPage, isAwaited: (id: bigint) => boolean, before: LedgerCursor): LedgerPage {
    const end = page.batches.findIndex(({ id }) => !this.#ahead.has(id) && isAwaited(id))
    return end < 0 ? page : upTo(page.batches, end, { before, isFull: false })
  }

  /** So much is judged at once: between pages the clock gets its turn. */
  #withinRows(page: LedgerPage, before: LedgerCursor): LedgerPage {
    let rows = 0
    const end = page.batches.findIndex(({ id, readings, doors }, index) => {
      if (!this.#ahead.has(id)) rows += readings + doors
      return index > 0 && rows > this.#rowsMax
    })
    return end < 0 ? page : upTo(page.batches, end, { before, isFull: true })
  }
}

function upTo(
  batches: readonly LedgerBatch[],
  end: number,
  { before, isFull }: { before: LedgerCursor; isFull: boolean },
): LedgerPage {
  const last = batches[end - 1]
  return {
    batches: batches.slice(0, end),
    cursor: last ? { tx: last.tx, batchId: last.id } : before,
    isFull,
  }
}

type News = Omit<LedgerNews, 'heardToMs'>

function newsOf(unseen: readonly LedgerBatch[], page: Pick<News, 'isFull' | 'isHeldBack'>): News {
  return {
    ...page,
    // In the order of their arrival, as far as can be told.
    batches: unseen.toSorted((a, b) => (a.id < b.id ? -1 : 1)),
    oldestCommittedAtMs: unseen.reduce<number | null>(
      (oldest, { committedAtMs }) =>
        committedAtMs === null ? oldest : Math.min(oldest ?? committedAtMs, committedAtMs),
      null,
    ),
  }
}

function remember(ids: Set<bigint>, id: bigint): void {
  ids.add(id)
  if (ids.size <= REMEMBERED_MAX) return
  const [oldest] = ids
  if (oldest !== undefined) ids.delete(oldest)
}
