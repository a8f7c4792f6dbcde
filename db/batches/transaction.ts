import type { Pool, PoolClient } from 'pg'
import { from as copyFrom } from 'pg-copy-streams'
import { resetConnection } from '../end-connection.ts'
import { databaseError } from '../errors.ts'

/** Where PostgreSQL waits for its synchronous standbys: what it says there is in the language of the server. */
const STANDBY_WAIT = 'SyncRepWaitForLSN'

/**
 * Runs `work` on a connection of the pool. `work` opens and commits the transaction itself (it sends BEGIN together
 * with its first statement to save a round trip); when it throws, the transaction is rolled back. A connection that
 * has failed is thrown away: after a lost COMMIT nobody knows what it would answer next. So is one whose answer is not
 * waited for any longer, when `signal` is aborted: the pool has its place again at once. Throws also when somebody has
 * let a commit go without its synchronous standby (pg_cancel_backend): the server calls it done and only warns.
 */
export async function onConnection<T>(
  pool: Pool,
  work: (client: PoolClient) => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  const client = await pool.connect()
  let failure: Error | undefined
  // A checked-out client has no listener of the pool's: without this one, a broken socket would end the process.
  const onError = (error: Error) => {
    failure ??= error
  }
  client.on('error', onError)
  let wasLetGo = false
  const onNotice = ({ routine }: { routine?: string | undefined }) => {
    if (routine === STANDBY_WAIT) wasLetGo = true
  }
  client.on('notice', onNotice)
  const giveUp = () => resetConnection(client)
  signal?.addEventListener('abort', giveUp, { once: true })
  try {
    signal?.throwIfAborted()
    const result = await work(client)
    if (wasLetGo) throw new Error('committed, but a synchronous standby has not confirmed it')
    return result
  } catch (error) {
    // Without an answer from the server (a timeout, a lost connection) nobody knows what the socket would say next:
    // a ROLLBACK would wait behind it, and a late answer to a COPY that was given up would end the process.
    if (databaseError(error)) await client.query('ROLLBACK').catch(onError)
    else failure ??= error instanceof Error ? error : new Error(String(error))
    throw error
  } finally {
    signal?.removeEventListener('abort', giveUp)
    client.off('notice', onNotice)
    client.off('error', onError)
    client.release(failure)
  }
}

/** PostgreSQL would give a long read a processor for each of its workers; what is committed meanwhile needs them. */
const ALONE = 'SET LOCAL max_parallel_workers_per_gather = 0'

/**
 * Reads on a connection of the pool, in one process of the server, each statement for so long at most: then the server ends it
 * (57014). `signal`: as above.
 */
export function inReadOnly<T>(
  pool: Pool,
  statementTimeoutMs: number,
  read: (client: PoolClient) => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  const work = async (client: PoolClient) => {
    const limit = `SET LOCAL statement_timeout = ${Math.trunc(statementTimeoutMs)}`
    await client.query(`BEGIN READ ONLY; ${ALONE}; ${limit}`)
    const result = await read(client)
    await client.query('COMMIT')
    return result
  }
  return onConnection(pool, work, signal)
}

/** Sends one buffer of binary COPY data; `sql` may have statements before the COPY. */
export function copyInto(client: PoolClient, sql: string, data: Buffer): Promise<void> {
  const stream = client.query(copyFrom(sql))
  return new Promise((resolve, reject) => {
    // On a server error the stream emits `error` only, never `close`.
    stream.on('error', reject)
    stream.on('finish', () => resolve())
    stream.end(data)
  })
}
