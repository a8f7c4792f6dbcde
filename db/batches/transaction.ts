import type { Pool, PoolClient } from 'pg'
import { from as copyFrom } from 'pg-copy-streams'

/**
 * Runs `work` on a connection of the pool. `work` opens and commits the transaction itself (it sends BEGIN together
 * with its first statement to save a round trip); when it throws, the transaction is rolled back. A connection that
 * has failed is thrown away: after a lost COMMIT nobody knows what it would answer next.
 */
export async function onConnection<T>(pool: Pool, work: (client: PoolClient) => Promise<T>): Promise<T> {
  const client = await pool.connect()
  let failure: Error | undefined
  // A checked-out client has no listener of the pool's: without this one, a broken socket would end the process.
  const onError = (error: Error) => {
    failure = error
  }
  client.on('error', onError)
  try {
    return await work(client)
  } catch (error) {
    await client.query('ROLLBACK').catch((rollbackError: Error) => {
      failure ??= rollbackError
    })
    throw error
  } finally {
    client.off('error', onError)
    client.release(failure)
  }
}

/** Sends one buffer of binary COPY data; `sql` may have statements before the COPY. Resolves to the rows stored. */
export function copyInto(client: PoolClient, sql: string, data: Buffer): Promise<number> {
  const stream = client.query(copyFrom(sql))
  return new Promise((resolve, reject) => {
    // On a server error the stream emits `error` only, never `close`.
    stream.on('error', reject)
    stream.on('finish', () => resolve(stream.rowCount))
    stream.end(data)
  })
}
