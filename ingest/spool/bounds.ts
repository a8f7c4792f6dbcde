/** Large pages: a batch is then a few of them, and the write-ahead log keeps a checksum for each. */
export const PAGE_BYTES = 32_768
/** The write-ahead log has a header for every page. */
const FRAME_BYTES = PAGE_BYTES + 24
/** A row's columns beside its content, and what the b-tree keeps of it. */
const ROW_BYTES = 256
/** What a transaction writes beside its rows: the file's header, inner pages of the tree, the list of free pages. */
const TREE_PAGES = 8
/** Kept free for removing: a drain must go on where an append finds no room. */
const RESERVE_BYTES = 32 * PAGE_BYTES

const LOG_SHARE_BYTES_MAX = 64 * 1024 * 1024

/** What the spool takes on disk. */
export interface DiskUse {
  /** Pages of the database, also those that are still in the write-ahead log only; of these, free ones. */
  pages: number
  freePages: number
  /** The two files as they are. */
  databaseBytes: number
  walBytes: number
}

/** At most this many pages are written for rows with these contents; may be a fraction for small ones, which share. */
export function pagesFor(contentBytes: number): number {
  const bytes = contentBytes + ROW_BYTES
  // A leaf page is left half empty at worst; a long content has pages of its own and a part in a leaf.
  return bytes < PAGE_BYTES / 2 ? (2 * bytes) / PAGE_BYTES : Math.ceil(bytes / PAGE_BYTES) + 1
}

/**
 * The part of a limit that the database leaves to the log. Its file never shrinks while there are batches, so without
 * this a spool that was filled by small transactions could not take a larger one when most of it has been drained.
 */
function logShareOf(limitBytes: number): number {
  return Math.min(limitBytes / 4, LOG_SHARE_BYTES_MAX)
}

/**
 * Bytes on disk, at most, when a transaction writes these pages under a limit: into the log first, and at the next
 * checkpoint into the database while the log is still there.
 */
export function bytesAfter(use: DiskUse, pages: number, limitBytes: number): number {
  const written = pages === 0 ? 0 : Math.ceil(pages) + TREE_PAGES
  const grown = use.pages + Math.max(0, written - use.freePages)
  const databaseBytes = Math.max(use.databaseBytes, grown * PAGE_BYTES)
  const walBytes = Math.max(use.walBytes + written * FRAME_BYTES, logShareOf(limitBytes))
  return Math.ceil(databaseBytes + walBytes + RESERVE_BYTES)
}

/** What a spool without batches takes. */
export const EMPTY: DiskUse = { pages: 2, freePages: 0, databaseBytes: 2 * PAGE_BYTES, walBytes: 0 }
