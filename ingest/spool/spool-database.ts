import { chmodSync, closeSync, existsSync, openSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { PAGE_BYTES } from './bounds.ts'
import { describeError, isSqliteError, SpoolFailedError } from './errors.ts'

/** "FGsp", in the header of the file. */
const APPLICATION_ID = 0x46_47_73_70
const SCHEMA_VERSION = 1
/** Messages and the hashes of secrets are in it. */
const PRIVATE = 0o600

/** What is in the file is not what a spool writes. */
class Damage extends Error {}

/** The content is the last column: what stands before it can be read without it. */
const SCHEMA = `
  BEGIN IMMEDIATE;
  CREATE TABLE batches (
    seq INTEGER PRIMARY KEY,
    id INTEGER NOT NULL,
    writer TEXT NOT NULL,
    tried INTEGER NOT NULL,
    messages INTEGER NOT NULL,
    readings INTEGER NOT NULL,
    doors INTEGER NOT NULL,
    status INTEGER NOT NULL,
    received_at INTEGER NOT NULL,
    crc INTEGER NOT NULL,
    content BLOB NOT NULL
  ) STRICT;
  PRAGMA application_id = ${APPLICATION_ID};
  PRAGMA user_version = ${SCHEMA_VERSION};
  COMMIT;`

/**
 * - `locking_mode` before anything is read: one process alone, and no shared-memory file
 * - `synchronous=FULL`: a commit returns when the write-ahead log is synced
 * - `fullfsync`: on macOS fsync alone leaves it in the cache of the drive; nothing changes elsewhere
 * - `wal_autocheckpoint=0`: the caller checkpoints, so that the log has a limit
 */
const PRAGMAS = `
  PRAGMA page_size = ${PAGE_BYTES};
  PRAGMA locking_mode = EXCLUSIVE;
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = FULL;
  PRAGMA fullfsync = ON;
  PRAGMA checkpoint_fullfsync = ON;
  PRAGMA wal_autocheckpoint = 0;
  PRAGMA temp_store = MEMORY;`

/** The write-ahead log of a file. */
export function walOf(file: string): string {
  return `${file}-wal`
}

/** 0 for a file that is not there. */
export function sizeOf(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.size ?? 0
}

/**
 * Opens the file, or makes a new one, for this process alone. SQLite drops a torn end of the write-ahead log by itself.
 * Throws a `SpoolFailedError` when another process has the file, or when it cannot be trusted: it is left there then.
 */
export function openDatabase(file: string): DatabaseSync {
  let database: DatabaseSync | undefined
  try {
    requireDatabaseBesideWal(file)
    makePrivate(file)
    database = new DatabaseSync(file)
    database.exec(PRAGMAS)
    requireIntact(database)
    prepareSchema(database, file)
  } catch (error) {
    database?.close()
    throw explain(error, file)
  }
  writeHolder(file)
  return database
}

/** SQLite would drop a log whose database is empty, and its batches with it. */
function requireDatabaseBesideWal(file: string): void {
  if (sizeOf(file) === 0 && sizeOf(walOf(file)) > 0) {
    throw new Damage('it is missing or empty, but its write-ahead log is there')
  }
}

/** SQLite gives the files that it makes beside it the same mode. */
function makePrivate(file: string): void {
  // A file that is there is not opened to look: closing it would end the locks that this process may have on it.
  if (existsSync(file)) chmodSync(file, PRIVATE)
  else closeSync(openSync(file, 'wx', PRIVATE))
}

function requireIntact(database: DatabaseSync): void {
  const [first] = Object.values(database.prepare('PRAGMA quick_check(1)').get() ?? {})
  if (first !== 'ok') throw new Damage(String(first))
}

function prepareSchema(database: DatabaseSync, file: string): void {
  const tables = numberOf(database, 'SELECT count(*) FROM sqlite_schema')
  if (tables === 0) {
    database.exec(SCHEMA)
    return
  }
  if (numberOf(database, 'PRAGMA application_id') !== APPLICATION_ID) {
    throw new Damage('it is a database of another program')
  }
  const version = numberOf(database, 'PRAGMA user_version')
  if (version === SCHEMA_VERSION) return
  throw new SpoolFailedError(
    `The spool ${file} was written by another version of FrostGuard (it has format ${version}, expected ` +
      `${SCHEMA_VERSION}). Start the version that wrote it until the spool is empty, then this one.`,
  )
}

/** The only column of the only row. */
export function numberOf(database: DatabaseSync, sql: string): number {
  return Number(Object.values(database.prepare(sql).get() ?? {})[0] ?? 0)
}

function explain(error: unknown, file: string): Error {
  if (error instanceof SpoolFailedError) return error
  if (isSqliteError(error, 'busy')) return inUse(file)
  const isDamage =
    error instanceof Damage || isSqliteError(error, 'notADatabase') || isSqliteError(error, 'corrupt')
  if (isDamage) return damaged(file, describeError(error))
  return new SpoolFailedError(
    `The spool ${file} cannot be opened: ${describeError(error)}. ` +
      'Check that its folder is there, that this user may write in it and that the disk has room, then start again.',
    { cause: error },
  )
}

function damaged(file: string, why: string): SpoolFailedError {
  return new SpoolFailedError(
    `The spool ${file} is damaged or is no spool: ${why}. It may hold messages that were acknowledged and are not in ` +
      'PostgreSQL yet, so it is not deleted. Move it away together with the files whose names begin with its name, ' +
      'and start again: a new, empty spool is made. What the moved files hold stays missing until it is recovered ' +
      `from them, for example with sqlite3's ".recover".`,
  )
}

/** Who has the file stands beside it: nothing in it can be read then. */
function holderFile(file: string): string {
  return `${file}.pid`
}

function writeHolder(file: string): void {
  try {
    writeFileSync(holderFile(file), `${process.pid}\n`, { mode: PRIVATE })
  } catch {
    // It only helps to word an error; on a full disk the spool must open all the same.
  }
}

function inUse(file: string): SpoolFailedError {
  let pid = ''
  try {
    pid = readFileSync(holderFile(file), 'utf8').trim()
  } catch {
    // It is about to be written.
  }
  const holder = pid === '' ? 'another process' : `process ${pid}`
  return new SpoolFailedError(
    `The spool ${file} is in use by ${holder}: only one process may have it open. ` +
      'Stop that one first, or give this one a data folder of its own.',
  )
}
