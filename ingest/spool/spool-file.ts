import type { DatabaseSync } from 'node:sqlite'
import { type BatchRow, BatchRows } from './batch-rows.ts'
import { pagesFor } from './bounds.ts'
import { DiskRoom } from './disk-room.ts'
import { isSqliteError, SpoolFailedError } from './errors.ts'
import { batchDamaged, diskFailed, diskFull, fileGone } from './reasons.ts'
import { openDatabase } from './spool-database.ts'
import type { ReadLimits, SpoolStats } from './types.ts'
import type { EncodedBatch, SpoolReport, Trouble } from './worker-messages.ts'

/** Above this the write-ahead log is brought into the database. */
const WAL_BYTES_MAX = 16 * 1024 * 1024
/** What the file of an empty spool keeps at most. */
const EMPTY_BYTES_MAX = 4 * 1024 * 1024
/** Rows deleted in one transaction: what it writes must fit into the reserve of bounds.ts. */
const DELETE_ROWS_MAX = 16
/** Before every row. */
const FIRST_ROW = 0

export interface SpoolFileOptions {
  file: string
  bytesMax: number
  /** Bytes that the disk of a folder has left for us. */
  freeBytes?: (folder: string) => number
}

/**
 * The spool's file, as its thread uses it: every method blocks until the disk has answered.
 *
 * It is without trouble, `full` or `failed`. An append that finds no room makes it full, until there is room for it (or
 * until the disk takes what it had refused). An error of the disk or a damaged batch makes it failed for good.
 */
export class SpoolFile {
  readonly #file: string
  readonly #database: DatabaseSync
  readonly #rows: BatchRows
  readonly #room: DiskRoom
  readonly #stats: SpoolStats
  /** Removed, but still in the file because the disk did not take it. */
  readonly #removed = new Set<number>()
  /** Found damaged: they stay in the file, and are in no count. */
  readonly #damaged = new Set<number>()
  /** Up to this row all are removed or damaged. */
  #passedTo = FIRST_ROW
  #trouble: Trouble | undefined
  /** Full until these pages, which were refused, have room. */
  #refusedPages = 0
  /** After a failed sync nobody knows what is on the disk: nothing is written on top of it. */
  #isReadOnly = false

  /** Throws a `SpoolFailedError` when the file cannot be opened. */
  constructor({ file, ...limits }: SpoolFileOptions) {
    this.#file = file
    this.#database = openDatabase(file)
    this.#rows = new BatchRows(this.#database)
    this.#room = new DiskRoom({ file, database: this.#database, ...limits })
    this.#stats = { ...this.#rows.totals(), bytes: 0, oldestReceivedAtMs: null }
  }

  report(): SpoolReport {
    this.#stats.bytes = this.#room.bytes
    try {
      this.#stats.oldestReceivedAtMs = this.#next(FIRST_ROW)?.receivedAtMs ?? null
    } catch (error) {
      this.#noteError(error)
    }
    return { stats: this.#stats, trouble: this.#trouble }
  }

  /**
   * Writes those appends that there is room for, in one transaction; answers for each why it was refused, or null.
   * Throws a `SpoolFailedError` when the file cannot be written.
   */
  append(appends: readonly EncodedBatch[][]): (string | null)[] {
    this.#requireInPlace()
    this.tidy()
    const refusals = this.#admit(appends)
    this.#requireNotFailed()
    const batches = appends.filter((_, index) => refusals[index] === null).flat()
    if (batches.length === 0) return refusals
    try {
      this.#inTransaction(() => {
        for (const batch of batches) this.#rows.insert(batch)
      })
    } catch (error) {
      return this.#notWritten(error, refusals)
    }
    for (const batch of batches) this.#count(batch, 1)
    this.#boundWal()
    return refusals
  }

  /** The first batches, up to the limits; damaged ones are passed over. Throws a `SpoolFailedError`. */
  oldest(limits: ReadLimits): EncodedBatch[] {
    try {
      return this.#read(limits)
    } catch (error) {
      throw new SpoolFailedError(this.#noteError(error).reason, { cause: error })
    }
  }

  /** Removes batches. What the disk does not take is passed over, and deleted when it does. */
  remove(batches: readonly { id: bigint; writer: string }[]): void {
    try {
      for (const batch of batches) this.#forget(batch)
    } catch (error) {
      this.#noteError(error)
    }
    this.tidy()
  }

  /** Whether `tidy` may find something to do, now or later. */
  get isUntidy(): boolean {
    return this.#trouble?.state === 'full' || this.#removed.size > 0 || this.#isTooLarge()
  }

  /**
   * Deletes what is removed, and looks whether there is room again. Free pages are used again; a spool that is empty
   * gives them back to the disk.
   */
  tidy(): void {
    if (this.#isReadOnly || !this.isUntidy) return
    try {
      while (this.#removed.size > 0) this.#deleteSome([...this.#removed.keys().take(DELETE_ROWS_MAX)])
      if (this.#isTooLarge()) this.#shrink()
      if (this.#trouble?.state === 'full' && this.#makeRoomFor(this.#refusedPages)) this.#trouble = undefined
    } catch (error) {
      this.#noteError(error)
    }
  }

  /** Nothing else may be called afterwards. */
  close(): void {
    this.#database.close()
  }

  /** What is appended to a file that nobody finds any more would be lost. */
  #requireInPlace(): void {
    if (!this.#room.isInPlace()) this.#note({ state: 'failed', reason: fileGone(this.#file) })
    this.#requireNotFailed()
  }

  #requireNotFailed(): void {
    if (this.#trouble?.state === 'failed') throw new SpoolFailedError(this.#trouble.reason)
  }

  /** For each append why there is no room for it, or null. */
  #admit(appends: readonly EncodedBatch[][]): (string | null)[] {
    let pages = 0
    return appends.map((batches) => {
      const needed = batches.reduce((sum, { content }) => sum + pagesFor(content.length), 0)
      const refusal = this.#room.whyNever(needed) ?? this.#refusalOf(pages + needed)
      if (refusal === null) pages += needed
      return refusal
    })
  }

  #refusalOf(pages: number): string | null {
    if (this.#makeRoomFor(pages)) return null
    const reason = this.#room.whyNot(pages)
    this.#note({ state: 'full', reason }, pages)
    return reason
  }

  #makeRoomFor(pages: number): boolean {
    if (this.#room.hasRoomFor(pages)) return true
    // The log takes room beside the database until it is cut off.
    this.#checkpoint()
    return this.#room.hasRoomFor(pages)
  }

  #isTooLarge(): boolean {
    return this.#stats.batches === 0 && this.#damaged.size === 0 && this.#room.bytes > EMPTY_BYTES_MAX
  }

  /** Nothing of the transaction was kept. */
  #notWritten(error: unknown, refusals: readonly (string | null)[]): (string | null)[] {
    const { state, reason } = this.#noteError(error)
    if (state === 'failed') throw new SpoolFailedError(reason, { cause: error })
    // What was written of it lies behind the end of the log.
    this.#checkpoint()
    return refusals.map((refusal) => refusal ?? reason)
  }

  #read({ batches, bytes: bytesMax, except = [] }: ReadLimits): EncodedBatch[] {
    const found: EncodedBatch[] = []
    let bytes = 0
    for (let row = this.#next(FIRST_ROW); row; row = this.#next(row.seq)) {
      if (except.some(({ id, writer }) => id === row.id && writer === row.writer)) continue
      bytes += row.contentBytes
      if (found.length > 0 && (found.length >= batches || bytes > bytesMax)) break
      const content = this.#contentOf(row)
      if (content) found.push({ ...row, content })
      else this.#passOver(row)
    }
    return found
  }

  /** Undefined when it is damaged or cannot be read: the others still can. */
  #contentOf(row: BatchRow): EncodedBatch['content'] | undefined {
    try {
      return this.#rows.contentOf(row)
    } catch {
      return undefined
    }
  }

  /** The first row after this one that is neither removed nor damaged. */
  #next(seq: number): BatchRow | undefined {
    let row = this.#rows.after(Math.max(seq, this.#passedTo))
    while (row && (this.#removed.has(row.seq) || this.#damaged.has(row.seq))) {
      if (seq <= this.#passedTo) this.#passedTo = row.seq
      row = this.#rows.after(row.seq)
    }
    return row
  }

  #forget(batch: { id: bigint; writer: string }): void {
    let row = this.#rows.find(this.#passedTo, batch)
    while (row && (this.#removed.has(row.seq) || this.#damaged.has(row.seq))) {
      row = this.#rows.find(row.seq, batch)
    }
    if (!row) return
    this.#removed.add(row.seq)
    this.#count(row, -1)
  }

  #deleteSome(seqs: readonly number[]): void {
    this.#makeRoomFor(0)
    this.#inTransaction(() => {
      for (const seq of seqs) this.#rows.delete(seq)
    })
    // Numbers of rows are given again when there is none left.
    this.#passedTo = FIRST_ROW
    for (const seq of seqs) this.#removed.delete(seq)
    this.#boundWal()
  }

  #shrink(): void {
    this.#database.exec('VACUUM')
    this.#checkpoint()
  }

  #boundWal(): void {
    if (this.#room.walBytes > WAL_BYTES_MAX) this.#checkpoint()
  }

  /** Brings the log into the database and cuts it off. Where that fails, the log stays valid as it is. */
  #checkpoint(): void {
    if (this.#isReadOnly || this.#room.walBytes === 0) return
    try {
      this.#database.exec('PRAGMA wal_checkpoint(TRUNCATE)')
    } catch (error) {
      this.#noteError(error)
    }
  }

  #inTransaction(work: () => void): void {
    this.#database.exec('BEGIN IMMEDIATE')
    try {
      work()
      this.#database.exec('COMMIT')
    } catch (error) {
      // SQLite has ended it itself after some errors.
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK')
      throw error
    }
  }

  #count({ messages, items }: Pick<EncodedBatch, 'messages' | 'items'>, sign: 1 | -1): void {
    const stats = this.#stats
    stats.batches += sign
    stats.messages += sign * messages
    stats.items.readings += sign * items.readings
    stats.items.doors += sign * items.doors
    stats.items.status += sign * items.status
  }

  #passOver(row: BatchRow): void {
    this.#damaged.add(row.seq)
    this.#count(row, -1)
    this.#note({ state: 'failed', reason: batchDamaged(this.#file, row.id, this.#damaged.size) })
  }

  #noteError(error: unknown): Trouble {
    if (isSqliteError(error, 'full')) return this.#note({ state: 'full', reason: diskFull(this.#file) })
    this.#isReadOnly = true
    return this.#note({ state: 'failed', reason: diskFailed(this.#file, error) })
  }

  /** The one place where trouble begins: what has failed stays so. */
  #note(trouble: Trouble, refusedPages = 0): Trouble {
    if (this.#trouble?.state === 'failed' && trouble.state === 'full') return this.#trouble
    this.#refusedPages = refusedPages
    this.#trouble = trouble
    return trouble
  }
}
