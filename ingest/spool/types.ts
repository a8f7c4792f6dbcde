import type { Principal } from '../../broker/types.ts'
import type { Subject } from '../message.ts'

/** A message as it arrived, so that it can be decoded and placed again; its route follows from the topic. */
export interface SpooledMessage {
  topic: string
  /** The raw bytes; of an oversized message only its beginning. */
  payload: Uint8Array
  /** Set when the message was too large: its full size in bytes. */
  oversizedBytes?: number
  qos: 0 | 1 | 2
  isWill: boolean
  /** Wall clock at arrival, epoch milliseconds. */
  receivedAt: number
  clientId: string
  principal: Principal
}

/** A batch as ingest sealed it. It keeps its id and writer (a UUID), by which the ledger knows it. */
export interface SpooledBatch {
  id: bigint
  writer: string
  /** Whether it may be committed already under that id. */
  tried: boolean
  messages: SpooledMessage[]
  /** Items by subject, for the books. */
  items: Record<Subject, number>
}

/** What is in the spool, without batches that were found damaged. */
export interface SpoolStats {
  batches: number
  messages: number
  /** On disk: the database file and its write-ahead log. This is what the limit in bytes is about. */
  bytes: number
  /** The earliest arrival in the batch that was appended first; null when the spool is empty. Epoch milliseconds. */
  oldestReceivedAtMs: number | null
  items: Record<Subject, number>
}

/**
 * - `ready`: takes batches
 * - `full`: an append found no room (under the limit in bytes, or on the disk), until there is room for it; or the oldest
 *   batch is past the limit of age. Nothing is dropped. A smaller append may still find room; one that does not is refused
 *   quickly. That a disk has room again is seen within seconds
 * - `failed`: its thread has died, the disk has failed, or a batch in the file is damaged or of another version: nothing is appended any more
 *   until the spool is opened again. What is intact can still be read and removed while the thread lives
 */
export type SpoolState = 'ready' | 'full' | 'failed'

/** Which batches are read: at most so many, and so many bytes in the file; those of `except` are passed over. */
export interface ReadLimits {
  batches: number
  bytes: number
  except?: readonly { id: bigint; writer: string }[]
}

/** Batches kept on the local disk, in order, until the database has them. */
export interface Spool {
  /** Right at open and after every call. */
  readonly stats: SpoolStats
  readonly state: SpoolState
  /** Why it is full or failed, a sentence; undefined when it is ready. */
  readonly reason: string | undefined
  /**
   * Keeps all of the batches or none; resolves when they are on disk, synced. Rejects with a `SpoolFullError` (nothing
   * was kept) or a `SpoolFailedError`. The messages' bytes are copied before it returns.
   */
  append(batches: readonly SpooledBatch[]): Promise<void>
  /**
   * The batches that were appended first, in order, up to a number and to their bytes in the file; at least one if
   * there is any. A batch whose bytes are damaged is passed over: it stays in the file, leaves the stats, and the state
   * is `failed`. Rejects with a `SpoolFailedError` when the file cannot be read.
   */
  oldest(limits: ReadLimits): Promise<SpooledBatch[]>
  /**
   * Removes batches, of several with one id the first; ids that are not there are ignored. Resolves when that is on disk, synced. Where the disk does not
   * take it (`full`, `failed`), they are gone for this process and come back when the spool is opened again: the ledger
   * then says that they are stored. Rejects with a `SpoolFailedError` only when the thread has died.
   */
  remove(ids: readonly { id: bigint; writer: string }[]): Promise<void>
  /** Writes what is still to be appended, and closes the file. May be called again. */
  close(): Promise<void>
}
