import { drizzle } from 'drizzle-orm/node-postgres'
import type { Client } from 'pg'
import { LOCKS } from './advisory-locks.ts'
import { createKey, PARTITION_KEYS, type PartitionKeys } from './partition-keys.ts'
import { parseBounds } from './partitions.ts'

const LOCK = LOCKS.closing

/** What comes later than this finds the partition closed: it is stored as well, only not at the right edge of its key. */
const SETTLE_MS = 60 * 60 * 1_000

/**
 * Closes the partitions of `sensor_readings` whose time has passed by an hour: builds the key that reads one device
 * fast and packed, then drops the one that is fast to write. Returns their names. Neither readers nor writers wait, and
 * device and time are unique all the while. What was interrupted is done again, and one
 * that fails does not keep the others: then it throws at the end, naming each. `client` must be a session of its own.
 */
export async function closePartitions(client: Client, now: Date): Promise<string[]> {
  await client.query(
    `SET timezone = 'UTC'; SET datestyle = 'ISO'; SET statement_timeout = 0; SET lock_timeout = 0`,
  )
  const lock = await client.query<{ taken: boolean }>('SELECT pg_try_advisory_lock($1, $2) AS taken', [
    LOCK.space,
    LOCK.key,
  ])
  if (!lock.rows[0]?.taken) return []
  const closed: string[] = []
  const failures: string[] = []
  try {
    for (const keys of await partitionsToClose(client, now.getTime())) {
      await alone(client, () => close(client, keys)).then(
        () => closed.push(keys.partition),
        (error: Error) => failures.push(`${keys.partition}: ${error.message}`),
      )
    }
  } finally {
    await client.query('SELECT pg_advisory_unlock($1, $2)', [LOCK.space, LOCK.key]).catch(() => undefined)
  }
  if (failures.length > 0) throw new Error(`not closed: ${failures.join('; ')}`)
  return closed
}

async function partitionsToClose(client: Client, nowMs: number): Promise<PartitionKeys[]> {
  const { rows } = await drizzle(client).execute<PartitionKeys & Record<string, unknown>>(PARTITION_KEYS)
  return rows
    .filter((row) => row.bounds !== 'DEFAULT' && parseBounds(row.bounds).toMs + SETTLE_MS <= nowMs)
    .filter((row) => row.open !== null || row.closed === null || row.invalid !== null)
}

/** Not beside `narrowPartitions`, which is waited for. */
async function alone(client: Client, work: () => Promise<void>): Promise<void> {
  const lock = [LOCKS.reshaping.space, LOCKS.reshaping.key]
  await client.query('SELECT pg_advisory_lock($1, $2)', lock)
  try {
    await work()
  } finally {
    await client.query('SELECT pg_advisory_unlock($1, $2)', lock).catch(() => undefined)
  }
}

async function close(client: Client, keys: PartitionKeys): Promise<void> {
  const drop = (name: string) =>
    client.query(`DROP INDEX CONCURRENTLY public.${client.escapeIdentifier(name)}`)
  if (keys.invalid !== null) await drop(keys.invalid)
  if (keys.closed === null) await client.query(createKey(keys.partition, 'closed', { concurrently: true }))
  if (keys.open !== null) await drop(keys.open)
}
