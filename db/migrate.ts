import { drizzle } from 'drizzle-orm/node-postgres'
import type { Client } from 'pg'
import { LOCKS } from './advisory-locks.ts'
import { messageOf } from './errors.ts'
import { type Migration, readMigrations } from './migration-files.ts'
import { onOwnConnection } from './own-connection.ts'
import { requireOwnSession } from './own-session.ts'
import { ensurePartitions } from './partitions.ts'

const CONNECT_TIMEOUT_MS = 10_000

/** How long to wait for another process that migrates the same database. */
const TURN_TIMEOUT_MS = 120_000

/** Not longer, because everybody who comes after a waiting migration waits behind it. */
const LOCK_TIMEOUT_MS = 10_000

const SERVER_VERSION_MIN = 15

/** Held by the session that migrates. */
const LOCK = LOCKS.migration

interface MigrateOptions {
  /** drizzle-kit's folder of migrations. */
  folder?: string
  /** How long a migration waits for a table that somebody uses. */
  lockTimeoutMs?: number
  now?: Date
}

/**
 * Brings the database up to this version's schema and makes the missing partitions. `url` must lead to PostgreSQL
 * directly, past a pooler; one in transaction mode is refused. Safe to call from several processes at once: they take
 * turns. Each migration is one transaction. Fails without a change when the server is too old or not UTF8, or when the
 * database has migrations that this version does not know. Takes any time while the server works on it; fails within
 * seconds when the connection is lost without a word, and when a commit waits for a standby that is away.
 */
export async function migrateDatabase(url: string, options: MigrateOptions = {}): Promise<void> {
  const { folder, lockTimeoutMs = LOCK_TIMEOUT_MS, now = new Date() } = options
  const own = { url, applicationName: 'frostguard migrate' }
  await onOwnConnection(own, async (client) => {
    await requireServer(client)
    await requireOwnSession(client, url, CONNECT_TIMEOUT_MS)
    await takeTurn(client)
    await client.query(`SET lock_timeout = ${lockTimeoutMs}`)
    const known = await readMigrations(folder)
    for (const migration of await pendingMigrations(client, known)) await applyMigration(client, migration)
    await ensurePartitions(drizzle(client), now)
  })
}

async function requireServer(client: Client): Promise<void> {
  const result = await client.query<{ version: number; name: string; encoding: string }>(
    `SELECT current_setting('server_version_num')::int / 10000 AS version, current_database() AS name,
       current_setting('server_encoding') AS encoding`,
  )
  const server = result.rows[0]
  if (!server) throw new Error('The server did not tell its version.')
  if (server.version < SERVER_VERSION_MIN) {
    throw new Error(
      `The database server is PostgreSQL ${server.version}, but FrostGuard needs ${SERVER_VERSION_MIN} or newer. ` +
        'Upgrade the server or point DATABASE_URL at a newer one.',
    )
  }
  if (server.encoding !== 'UTF8') {
    throw new Error(
      `The database "${server.name}" has the encoding ${server.encoding}, but FrostGuard needs UTF8. ` +
        `Create another one: CREATE DATABASE ... ENCODING 'UTF8' TEMPLATE template0.`,
    )
  }
}

/** The lock belongs to the session: it ends with the connection, however this process ends. */
async function takeTurn(client: Client): Promise<void> {
  await client.query(
    `SET statement_timeout = 0; SET lock_timeout = ${TURN_TIMEOUT_MS}; SET search_path = public`,
  )
  try {
    await client.query('SELECT pg_advisory_lock($1, $2)', [LOCK.space, LOCK.key])
  } catch (error) {
    if (!isLockTimeout(error)) throw error
    throw new Error(
      `Another process has been migrating this database for ${TURN_TIMEOUT_MS / 1000} s. ` +
        `Wait for it (pg_stat_activity shows it as "frostguard migrate") and start again.`,
      { cause: error },
    )
  }
}

async function pendingMigrations(client: Client, known: Migration[]): Promise<Migration[]> {
  // The same table as `drizzle-kit migrate` keeps.
  await client.query(
    `CREATE SCHEMA IF NOT EXISTS drizzle;
     CREATE TABLE IF NOT EXISTS drizzle.migrations (id serial PRIMARY KEY, hash text NOT NULL, created_at bigint)`,
  )
  const result = await client.query<{ when: number }>(
    'SELECT created_at::float8 AS when FROM drizzle.migrations ORDER BY created_at',
  )
  const applied = new Set(result.rows.map((row) => row.when))
  const unknown = [...applied].filter((when) => !known.some((migration) => migration.when === when))
  if (unknown.length > 0) {
    throw new Error(
      `The database's schema is newer than this program: it has ${unknown.length} migration(s) that this version ` +
        `does not know, the newest of ${new Date(Math.max(...unknown)).toISOString()}. Start the newer version, or restore a backup from before it.`,
    )
  }
  return known.filter((migration) => !applied.has(migration.when))
}

async function applyMigration(client: Client, migration: Migration): Promise<void> {
  try {
    if (migration.inTransaction) await client.query('BEGIN')
    for (const statement of migration.statements) await client.query(statement)
    await client.query('INSERT INTO drizzle.migrations (hash, created_at) VALUES ($1, $2)', [
      migration.hash,
      migration.when,
    ])
    if (migration.inTransaction) await client.query('COMMIT')
  } catch (error) {
    // A connection that is gone has rolled back by itself.
    if (migration.inTransaction) await client.query('ROLLBACK').catch(() => undefined)
    throw new Error(failureSentence(migration, error), { cause: error })
  }
}

function failureSentence(migration: Migration, error: unknown): string {
  const reason = messageOf(error)
  const kept = migration.inTransaction
    ? 'Nothing of it was kept.'
    : 'Its statements before the failing one are kept: undo or finish them by hand.'
  const advice = isLockTimeout(error)
    ? ' Another session holds a table that it changes (see pg_locks): start again when that one is done.'
    : ''
  return `Migration ${migration.tag} failed: ${reason}. ${kept}${advice}`
}

function isLockTimeout(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === '55P03'
}
