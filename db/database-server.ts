import { setTimeout as sleep } from 'node:timers/promises'
import { Client } from 'pg'
import type { DatabaseSettings } from './config.ts'
import { openEmbeddedServer } from './embedded/server.ts'
import { endConnection } from './end-connection.ts'
import type { ServerLog } from './server-log.ts'
import { describeTarget, explainUnreachable } from './unreachable.ts'

const RETRY_MS = 250

export interface DatabaseServer {
  /** Where the application connects, perhaps a pooler. */
  url: string
  /** PostgreSQL itself, for migrations and LISTEN. */
  directUrl: string
  /** Whether the database is the one of DATA_DIR, kept running by FrostGuard. */
  embedded: boolean
  /** Ends our use of it. */
  release(): Promise<void>
}

export type DatabaseServerSettings = Pick<
  DatabaseSettings,
  | 'DATABASE_URL'
  | 'DATABASE_DIRECT_URL'
  | 'DATA_DIR'
  | 'DATABASE_CONNECT_TIMEOUT_MS'
  | 'DATABASE_START_WAIT_MS'
>

/**
 * The database of DATABASE_URL, or, where that is not set, the embedded one. Returns when it answers; throws a sentence
 * for the operator when it does not within DATABASE_START_WAIT_MS, and at once when waiting cannot help.
 */
export async function openDatabaseServer(
  settings: DatabaseServerSettings,
  log: ServerLog,
): Promise<DatabaseServer> {
  const { DATABASE_URL: url, DATABASE_DIRECT_URL: directUrl = url, DATA_DIR: dataDir } = settings
  if (url === undefined) {
    if (directUrl !== undefined) {
      throw new Error(
        'DATABASE_DIRECT_URL is set, but DATABASE_URL is not. Set both, or none for the embedded database.',
      )
    }
    const server = await openEmbeddedServer({ dataDir, log })
    return { url: server.url, directUrl: server.url, embedded: true, release: () => server.release() }
  }
  await reach('DATABASE_URL', url, settings, log)
  if (directUrl !== undefined && directUrl !== url)
    await reach('DATABASE_DIRECT_URL', directUrl, settings, log)
  return { url, directUrl: directUrl ?? url, embedded: false, release: async () => {} }
}

async function reach(
  name: string,
  url: string,
  settings: DatabaseServerSettings,
  log: ServerLog,
): Promise<void> {
  const began = performance.now()
  const waitMs = settings.DATABASE_START_WAIT_MS
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await connectOnce(url, settings.DATABASE_CONNECT_TIMEOUT_MS)
    } catch (error) {
      const { reason, isPassing } = explainUnreachable(error)
      if (!isPassing || performance.now() - began >= waitMs) {
        const tried = isPassing && waitMs > 0 ? ` (tried for ${waitMs / 1000} s)` : ''
        throw new Error(
          `Cannot reach the ${describeTarget(url)}${tried}: ${reason}. ` +
            `It is the one of ${name}; without DATABASE_URL FrostGuard runs a database of its own.`,
          { cause: error },
        )
      }
      if (attempt === 1)
        log.warn(`Waiting up to ${waitMs / 1000} s for the ${describeTarget(url)}: ${reason}`)
    }
    await sleep(RETRY_MS)
  }
}

async function connectOnce(url: string, timeoutMs: number): Promise<void> {
  const client = new Client({
    connectionString: url,
    connectionTimeoutMillis: timeoutMs,
    query_timeout: timeoutMs,
  })
  client.on('error', () => {})
  try {
    await client.connect()
    // A pooler accepts the log-in by itself; a query shows that there is a database behind it.
    await client.query('SELECT 1')
  } finally {
    await endConnection(client)
  }
}
