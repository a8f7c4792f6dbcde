import { Client, type ClientConfig, type QueryConfig } from 'pg'
import { type Backend, watchConnection } from './connection-watch.ts'
import { cutConnection, endConnection } from './end-connection.ts'

const CONNECT_TIMEOUT_MS = 10_000
/** For a question that PostgreSQL answers at once. */
const ANSWER_MS = 10_000
/** Below the time after which firewalls forget a connection that is silent. */
const KEEP_ALIVE_MS = 60_000

export interface OwnConnectionOptions {
  /** PostgreSQL itself, past a pooler in transaction mode. */
  url: string
  /** Seen in pg_stat_activity. */
  applicationName: string
  /** Cuts the connection when aborted, also while it is being opened. */
  signal?: AbortSignal
}

/**
 * Runs `work`, which may take any time, on a connection of its own, and ends that. When the connection is lost, `work`
 * fails within seconds, also when that happens without a word or the server hangs; the error says why.
 */
export async function onOwnConnection<T>(
  { url, applicationName, signal }: OwnConnectionOptions,
  work: (client: Client) => Promise<T>,
): Promise<T> {
  const client = new Client({
    connectionString: url,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    application_name: applicationName,
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEP_ALIVE_MS,
  })
  let broken: Error | undefined
  client.on('error', (error) => {
    broken ??= error
  })
  const giveUp = () => cutConnection(client)
  signal?.addEventListener('abort', giveUp, { once: true })
  const done = new AbortController()
  try {
    signal?.throwIfAborted()
    await client.connect()
    void watchConnection({ client, backend: await backendOf(client), url, signal: done.signal })
    return await work(client)
  } catch (error) {
    throw broken ?? error
  } finally {
    done.abort()
    signal?.removeEventListener('abort', giveUp)
    await endConnection(client)
  }
}

async function backendOf(client: Client): Promise<Backend> {
  const question: QueryConfig & Pick<ClientConfig, 'query_timeout'> = {
    text: `SELECT pid, extract(epoch FROM backend_start)::text AS "startedAt" FROM pg_stat_activity
      WHERE pid = pg_backend_pid()`,
    query_timeout: ANSWER_MS,
  }
  const { rows } = await client.query<Backend>(question)
  if (!rows[0]) throw new Error('The server does not show this connection in pg_stat_activity.')
  return rows[0]
}
