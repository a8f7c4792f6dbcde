import { existsSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as sleep } from 'node:timers/promises'
import { processStart } from './processes.ts'

/** A start may include initdb and crash recovery; whoever holds the lock longer than this is stuck. */
const LOCK_WAIT_MS = 240_000
const LOCK_POLL_MS = 50
const SQLITE_BUSY = 5

/** The processes that use the server of one DATA_DIR. Valid within one `withUsers`. */
export interface Users {
  /** How many users are registered and alive. */
  count(): number
  add(id: string): void
  remove(id: string): void
}

/**
 * Runs `action` while no other process (and no other caller in this one) does so for the same file. The lock is SQLite's
 * exclusive transaction, a lock of the operating system: it ends with its process, so it never goes stale, and what
 * `action` registered is kept only if it succeeds. Throws when the lock is not free within LOCK_WAIT_MS.
 */
export async function withUsers<T>(file: string, action: (users: Users) => Promise<T>): Promise<T> {
  const database = new DatabaseSync(file, { timeout: 0 })
  try {
    await begin(database, file)
    try {
      database.exec('CREATE TABLE IF NOT EXISTS users (id TEXT PRIMARY KEY, pid INTEGER, started TEXT)')
      const result = await action(usersIn(database))
      database.exec('COMMIT')
      return result
    } catch (error) {
      if (database.isTransaction) database.exec('ROLLBACK')
      throw error
    }
  } finally {
    database.close()
  }
}

/** Whether anyone has registered here yet, or the folder was removed since. */
export function hasUsersFile(file: string): boolean {
  return existsSync(file)
}

async function begin(database: DatabaseSync, file: string): Promise<void> {
  const deadline = performance.now() + LOCK_WAIT_MS
  for (;;) {
    try {
      database.exec('BEGIN EXCLUSIVE')
      return
    } catch (error) {
      const busy = error instanceof Error && 'errcode' in error && isBusy(error.errcode)
      if (!busy) throw error
      if (performance.now() >= deadline) {
        throw new Error(
          `Another process has been starting or stopping the database of this folder for ${LOCK_WAIT_MS / 1000} s ` +
            `(it holds ${file}). Find it, end it, and start again.`,
          { cause: error },
        )
      }
    }
    await sleep(LOCK_POLL_MS)
  }
}

function usersIn(database: DatabaseSync): Users {
  const remove = (id: string) => {
    database.prepare('DELETE FROM users WHERE id = ?').run(id)
  }
  return {
    count() {
      const rows = database.prepare('SELECT id, pid, started FROM users').all()
      const [alive, gone] = partition(rows, (row) => processStart(Number(row['pid'])) === row['started'])
      for (const row of gone) remove(String(row['id']))
      return alive.length
    },
    add(id) {
      const started = processStart(process.pid) ?? ''
      database.prepare('INSERT INTO users VALUES (?, ?, ?)').run(id, process.pid, started)
    },
    remove,
  }
}

/** The low byte is the primary code; the rest says why it is busy. */
function isBusy(errcode: unknown): boolean {
  return typeof errcode === 'number' && (errcode & 0xff) === SQLITE_BUSY
}

function partition<T>(items: T[], test: (item: T) => boolean): [T[], T[]] {
  return [items.filter(test), items.filter((item) => !test(item))]
}
