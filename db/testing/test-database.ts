import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { Client, DatabaseError } from 'pg'
import { inject } from 'vitest'

/** The migrated database of the test run that all test databases are copied from. */
export const TEMPLATE_DATABASE = 'frostguard_template'

/** SQLSTATE object_in_use: a session, for example autovacuum's, is in the template just now. */
const OBJECT_IN_USE = '55006'
const CREATE_ATTEMPTS_MAX = 50
const CREATE_RETRY_MS = 100
const SESSIONS_ATTEMPTS_MAX = 20
const SESSIONS_RETRY_MS = 25

export interface TestDatabase {
  /** The owner's URL. */
  url: string
  /** Ends all sessions of the database and removes it. */
  drop(): Promise<void>
}

declare module 'vitest' {
  export interface ProvidedContext {
    /** URL of the test run's server, with the right to create databases. */
    testServerUrl: string
  }
}

/** A database with the current schema and nothing in it, for one test file or test. */
export async function createTestDatabase(): Promise<TestDatabase> {
  const serverUrl = inject('testServerUrl')
  const name = `test_${randomBytes(8).toString('hex')}`
  await copyDatabase(serverUrl, TEMPLATE_DATABASE, name)
  return {
    url: databaseUrl(serverUrl, name),
    drop: () => dropDatabase(serverUrl, name),
  }
}

async function dropDatabase(serverUrl: string, name: string): Promise<void> {
  await inSession(serverUrl, async (client) => {
    await sessionsGone(client, name)
    await client.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`)
  })
}

/** A pool says that it has ended before its sessions have: ended by force, they would report an error to nobody. */
async function sessionsGone(client: Client, name: string): Promise<void> {
  for (let attempt = 1; attempt <= SESSIONS_ATTEMPTS_MAX; attempt++) {
    const left = await client.query('SELECT 1 FROM pg_stat_activity WHERE datname = $1', [name])
    if (left.rowCount === 0) return
    await sleep(SESSIONS_RETRY_MS)
  }
}

/** The same server, another database. */
export function databaseUrl(serverUrl: string, database: string): string {
  const url = new URL(serverUrl)
  url.pathname = `/${database}`
  return url.href
}

/** One statement in a session of its own. */
export function execute(url: string, sql: string): Promise<void> {
  return inSession(url, async (client) => void (await client.query(sql)))
}

async function inSession(url: string, work: (client: Client) => Promise<void>): Promise<void> {
  const client = new Client({ connectionString: url })
  await client.connect()
  try {
    await work(client)
  } finally {
    await client.end()
  }
}

/**
 * Waits while a session is in the database that is copied. Its files are copied as they are: through the write-ahead log, which is
 * PostgreSQL's own choice, it costs twice the CPU.
 */
export async function copyDatabase(serverUrl: string, from: string, name: string): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await execute(serverUrl, `CREATE DATABASE ${name} TEMPLATE ${from} STRATEGY file_copy`)
    } catch (error) {
      const busy = error instanceof DatabaseError && error.code === OBJECT_IN_USE
      if (!busy || attempt >= CREATE_ATTEMPTS_MAX) throw error
    }
    await sleep(CREATE_RETRY_MS)
  }
}
