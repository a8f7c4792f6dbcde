import type { Pool } from 'pg'
import type { BenchContext, LoadShape } from '../context.ts'
import { createHistory } from '../database/history.ts'
import { openPool } from '../database/pool.ts'
import type { BenchDatabase } from '../database/server.ts'
import { FLEET } from './load-arguments.ts'

/** Ends before the live readings begin. */
const PAST_MS = 60_000

/**
 * A database with the fleet of a shape and `rows` readings of its past, for `onCopy`. It is dropped with the resources of
 * the run at the latest.
 */
export async function prepareHistory(
  context: BenchContext,
  { shape, rows }: { shape: LoadShape; rows: number },
): Promise<BenchDatabase> {
  const { connections: hubs, devices } = shape
  const words = (count: number) => count.toLocaleString('en-US')
  context.progress(`storing ${words(rows)} readings of ${words(devices)} devices`)
  const database = await context.server.createDatabase()
  const untilMs = Date.now() - PAST_MS
  await createHistory(database.url, { ...FLEET, hubs, devices, rows, untilMs })
  return database
}

/** Works on a copy, which is dropped afterwards: so every measurement finds the same. */
export async function onCopy<Result>(
  context: BenchContext,
  history: BenchDatabase,
  work: (database: { url: string; pool: Pool }) => Promise<Result>,
): Promise<Result> {
  const database = await context.server.createDatabase(history)
  const pool = openPool(database.url)
  try {
    return await work({ url: database.url, pool })
  } finally {
    await pool.end()
    await database.drop()
  }
}
