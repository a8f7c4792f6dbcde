import { Client } from 'pg'
import { endConnection } from './end-connection.ts'

const ROUNDS = 20

/**
 * Throws when `client`, a connection to `url`, has no session of its own: a pooler in transaction mode stands between,
 * and what is set or locked for the session would stay behind in one that others use. A pooler hands out first what was
 * used last, so it gives the client's backend to a second connection, or the second one's to the client afterwards.
 * Beside the traffic of others it may slip through once, so both are asked again and again; PostgreSQL itself is never
 * mistaken for one.
 */
export async function requireOwnSession(client: Client, url: string, timeoutMs: number): Promise<void> {
  const backend = await backendOf(client)
  const other = new Client({
    connectionString: url,
    connectionTimeoutMillis: timeoutMs,
    query_timeout: timeoutMs,
  })
  other.on('error', () => {})
  try {
    await other.connect()
    const otherBackend = await backendOf(other)
    let isOwn = otherBackend !== backend
    for (let round = 0; isOwn && round < ROUNDS; round++) {
      isOwn = (await backendOf(client)) === backend && (await backendOf(other)) === otherBackend
    }
    if (isOwn) return
  } finally {
    await endConnection(other)
  }
  throw new Error(
    'Migrations must reach PostgreSQL itself, but a pooler in transaction mode stands between: their locks and ' +
      'settings would stay behind in its connections. Set DATABASE_DIRECT_URL to the address of PostgreSQL; ' +
      'DATABASE_URL may stay that of the pooler.',
  )
}

async function backendOf(client: Client): Promise<number | undefined> {
  return (await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')).rows[0]?.pid
}
