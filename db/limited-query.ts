import type { Pool, QueryResult, QueryResultRow } from 'pg'
import { onConnection } from './batches/transaction.ts'

/** The client gives up this long after the server should have: then the server or the network is gone. */
export const ANSWER_GRACE_MS = 2_000

/**
 * One statement that the server ends (57014) before the pool gives it up: otherwise it would go on there, waiting for its
 * lock, and each further attempt would add one. In a transaction of its own, because behind a pooler in transaction mode
 * the limit can live nowhere else. A pool without `query_timeout` gives nothing up, so there is no limit then.
 */
export function queryWithLimit<Row extends QueryResultRow>(
  pool: Pool,
  text: string,
  values: unknown[] = [],
): Promise<QueryResult<Row>> {
  return onConnection(pool, async (client) => {
    await client.query(`BEGIN; SET LOCAL statement_timeout = ${limitOf(pool)}`)
    const result = await client.query<Row>(text, values)
    await client.query('COMMIT')
    return result
  })
}

/**
 * The same in one round trip, for a look-up that somebody waits for: it takes no values, so they stand in the text. One
 * that fails costs its connection, which is left within the transaction.
 */
export async function lookUpWithLimit<Row extends QueryResultRow>(pool: Pool, text: string): Promise<Row[]> {
  const limit = `SET LOCAL statement_timeout = ${limitOf(pool)}`
  // One result for each statement, which is not in the type definitions of pg.
  const results = (await pool.query(`BEGIN; ${limit}; ${text}; COMMIT`)) as unknown as QueryResult<Row>[]
  return results[2]?.rows ?? []
}

function limitOf({ options }: Pool): number {
  return Math.max(Math.trunc((options.query_timeout ?? 0) - ANSWER_GRACE_MS), 0)
}
