import { statfsSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import type { DatabaseSync } from 'node:sqlite'
import { bytesAfter, type DiskUse, EMPTY } from './bounds.ts'
import { diskFull, limitReached, tooLarge } from './reasons.ts'
import { numberOf, sizeOf, walOf } from './spool-database.ts'

export interface DiskRoomOptions {
  file: string
  database: DatabaseSync
  bytesMax: number
  /** Bytes that the disk of a folder has left for us. */
  freeBytes?: (folder: string) => number
}

/** How much room the spool's files take, and may take. */
export class DiskRoom {
  readonly #file: string
  readonly #database: DatabaseSync
  readonly #bytesMax: number
  readonly #freeBytes: (folder: string) => number
  readonly #number: bigint | undefined

  constructor({ file, database, bytesMax, freeBytes = freeBytesOf }: DiskRoomOptions) {
    this.#file = file
    this.#database = database
    this.#bytesMax = bytesMax
    this.#freeBytes = freeBytes
    this.#number = numberOfFile(file)
  }

  get walBytes(): number {
    return sizeOf(walOf(this.#file))
  }

  /** What the files take now. */
  get bytes(): number {
    return sizeOf(this.#file) + this.walBytes
  }

  /** Whether the database's file is still where it was opened. */
  isInPlace(): boolean {
    return numberOfFile(this.#file) === this.#number
  }

  /** Whether a transaction may write these pages. */
  hasRoomFor(pages: number): boolean {
    const use = this.#use()
    const diskBytes = use.databaseBytes + use.walBytes + this.#freeBytes(dirname(this.#file))
    const limit = Math.min(this.#bytesMax, diskBytes)
    return bytesAfter(use, pages, limit) <= limit
  }

  /** Why not even an empty spool could take these pages; undefined when it could. */
  whyNever(pages: number): string | undefined {
    const bytes = bytesAfter(EMPTY, pages, this.#bytesMax)
    return bytes > this.#bytesMax ? tooLarge(this.#file, bytes, this.#bytesMax) : undefined
  }

  /** Why a transaction may not write these pages. */
  whyNot(pages: number): string {
    const bytes = bytesAfter(this.#use(), pages, this.#bytesMax)
    return bytes > this.#bytesMax ? limitReached(this.#file, bytes, this.#bytesMax) : diskFull(this.#file)
  }

  #use(): DiskUse {
    return {
      pages: numberOf(this.#database, 'PRAGMA page_count'),
      freePages: numberOf(this.#database, 'PRAGMA freelist_count'),
      databaseBytes: sizeOf(this.#file),
      walBytes: this.walBytes,
    }
  }
}

/** Tells a file from another one with its name. */
function numberOfFile(file: string): bigint | undefined {
  return statSync(file, { bigint: true, throwIfNoEntry: false })?.ino
}

function freeBytesOf(folder: string): number {
  const { bavail, bsize } = statfsSync(folder)
  return bavail * bsize
}
