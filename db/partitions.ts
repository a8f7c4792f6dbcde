import { sql } from 'drizzle-orm'
import type { NodePgDatabase } from 'drizzle-orm/node-postgres'
import { escapeIdentifier } from 'pg'
import { LOCKS } from './advisory-locks.ts'
import { createKey, PARTITION_KEYS, type PartitionKeys, partitionsOf } from './partition-keys.ts'
import {
  type Narrowing,
  type PlannedPartition,
  planNarrowing,
  planPartitions,
  type Range,
  type Width,
  widthFor,
} from './partition-plan.ts'

const PARTITIONED_TABLES = ['sensor_readings', 'door_events'] as const
type PartitionedTable = (typeof PARTITIONED_TABLES)[number]

const LOCK = LOCKS.partitions

const LOCK_TIMEOUT_MS = 10_000
/** While a partition is narrowed nobody else reads or writes the table; not longer, because writers wait behind it. */
const NARROW_LOCK_TIMEOUT_MS = 2_000

type Transaction = Pick<NodePgDatabase, 'execute'>
interface ExistingPartition extends Range {
  name: string
}

/**
 * Creates the partitions of both hot tables that are missing from 2015 to some time ahead, and returns their names.
 * Those of `sensor_readings` are as wide as the fleet allows (`widthFor`). Idempotent, and safe to run beside ingest
 * and other processes: a new partition is created apart and then attached, which does not stop writers. Fails with
 * 55P03 after 10 s behind another lock, and nothing is changed then. Throws when a partition of `sensor_readings` has
 * no key: readings could be stored twice there.
 */
export async function ensurePartitions<S extends Record<string, unknown>>(
  db: NodePgDatabase<S>,
  now: Date,
): Promise<string[]> {
  return inTurn(db, LOCK_TIMEOUT_MS, async (tx) => {
    const created: string[] = []
    for (const table of PARTITIONED_TABLES) {
      created.push(...(await fillGaps(tx, { table, nowMs: now.getTime(), width: await widthOf(tx, table) })))
    }
    await requireKeys(tx)
    return created
  })
}

/**
 * Where the fleet has grown: cuts the partitions of `sensor_readings` that hold the present or the future and are
 * wider than it needs, and makes narrower ones from the next boundary on. Returns the names of the new ones. Writers
 * wait while it runs (it reads the cut partition once); fails with 55P03 when it does not get the table within 2 s, and
 * at once while a partition is being closed.
 */
export async function narrowPartitions<S extends Record<string, unknown>>(
  db: NodePgDatabase<S>,
  now: Date,
): Promise<string[]> {
  return inTurn(db, NARROW_LOCK_TIMEOUT_MS, async (tx) => {
    const table = 'sensor_readings'
    const width = await widthOf(tx, table)
    const nowMs = now.getTime()
    const existing = await existingPartitions(tx, table)
    const narrowings = planNarrowing({ existing, nowMs, width })
    if (narrowings.length === 0) return []
    await refuseBesideClosing(tx)
    await tx.execute('LOCK TABLE public.sensor_readings IN ACCESS EXCLUSIVE MODE')
    await tx.execute('CREATE TEMPORARY TABLE moved_readings (LIKE public.sensor_readings) ON COMMIT DROP')
    for (const narrowing of narrowings) await cut(tx, nameOf(existing, narrowing.range), narrowing)
    const created = await fillGaps(tx, { table, nowMs, width })
    await tx.execute('INSERT INTO public.sensor_readings SELECT * FROM pg_temp.moved_readings')
    return created
  })
}

/** Not by waiting: closing waits for transactions that are open, and so for this one. */
async function refuseBesideClosing(tx: Transaction): Promise<void> {
  const { space, key } = LOCKS.reshaping
  const lock = await tx.execute<{ taken: boolean }>(
    sql`SELECT pg_try_advisory_xact_lock(${space}::int, ${key}::int) AS taken`,
  )
  if (!lock.rows[0]?.taken)
    throw new Error('Narrower partitions are made later: a partition whose time has passed is being closed')
}

/** Leaves the partition what lies before the cut, and sets the rest aside. */
async function cut(tx: Transaction, name: string, { range, cutMs }: Narrowing): Promise<void> {
  // Through the parent: a partition attached by hand may have its columns in another order.
  await tx.execute(
    `WITH moved AS (DELETE FROM public.sensor_readings
       WHERE recorded_at >= '${iso(cutMs)}' AND recorded_at < '${iso(range.toMs)}' RETURNING *)
     INSERT INTO pg_temp.moved_readings SELECT * FROM moved`,
  )
  await tx.execute(`ALTER TABLE public.sensor_readings DETACH PARTITION public.${escapeIdentifier(name)}`)
  if (cutMs > range.fromMs) await attach(tx, 'sensor_readings', name, { fromMs: range.fromMs, toMs: cutMs })
  else await tx.execute(`DROP TABLE public.${escapeIdentifier(name)}`)
}

function nameOf(existing: readonly ExistingPartition[], range: Range): string {
  const found = existing.find((partition) => partition.fromMs === range.fromMs)
  if (!found) throw new Error(`No partition begins at ${iso(range.fromMs)}`)
  return found.name
}

function inTurn<S extends Record<string, unknown>, T>(
  db: NodePgDatabase<S>,
  lockTimeoutMs: number,
  work: (tx: Transaction) => Promise<T>,
): Promise<T> {
  return db.transaction(async (tx) => {
    await tx.execute(`SET LOCAL lock_timeout = ${lockTimeoutMs}`)
    await tx.execute(sql`SELECT pg_advisory_xact_lock(${LOCK.space}::int, ${LOCK.key}::int)`)
    // Bounds are read as text below.
    await tx.execute(`SET LOCAL timezone = 'UTC'; SET LOCAL datestyle = 'ISO'`)
    return work(tx)
  })
}

/** Door events are few: months do for any fleet. */
async function widthOf(tx: Transaction, table: PartitionedTable): Promise<Width> {
  if (table === 'door_events') return 'month'
  const result = await tx.execute<{ per_day: number }>(sql`
    SELECT coalesce(sum(86400.0 / greatest(coalesce(reporting_interval_seconds, 300), 1)), 0)::float8 AS per_day
    FROM public.devices WHERE deleted_at IS NULL`)
  return widthFor(result.rows[0]?.per_day ?? 0)
}

async function fillGaps(
  tx: Transaction,
  { table, nowMs, width }: { table: PartitionedTable; nowMs: number; width: Width },
): Promise<string[]> {
  const existing = await existingPartitions(tx, table)
  const created: string[] = []
  for (const partition of planPartitions({ existing, nowMs, width })) {
    created.push(await createPartition(tx, table, { partition, isPast: partition.toMs <= nowMs }))
  }
  return created
}

async function existingPartitions(tx: Transaction, table: PartitionedTable): Promise<ExistingPartition[]> {
  const result = await tx.execute<{ name: string; bounds: string }>(sql`
    WITH partitions AS MATERIALIZED (${partitionsOf(table)})
    SELECT name, bounds FROM partitions WHERE bounds IS NOT NULL AND bounds <> 'DEFAULT'`)
  return result.rows.map((row) => ({ name: row.name, ...parseBounds(row.bounds) }))
}

/** Reads `FOR VALUES FROM ('2015-01-01 00:00:00+00') TO (MAXVALUE)`, written in a session of UTC and ISO. */
export function parseBounds(bounds: string): Range {
  const match = /FROM \((?:MINVALUE|'([^']+)')\) TO \((?:MAXVALUE|'([^']+)')\)/.exec(bounds)
  if (!match)
    throw new Error(`Cannot read the bounds of a partition: ${bounds}. Expected FOR VALUES FROM ... TO ...`)
  return {
    fromMs: match[1] === undefined ? -Infinity : Date.parse(match[1]),
    toMs: match[2] === undefined ? Infinity : Date.parse(match[2]),
  }
}

async function createPartition(
  tx: Transaction,
  table: PartitionedTable,
  { partition, isPast }: { partition: PlannedPartition; isPast: boolean },
): Promise<string> {
  const name = `${table}_${partition.suffix}`
  const taken = await tx.execute(sql`SELECT 1 WHERE to_regclass(${`public.${name}`}) IS NOT NULL`)
  if (taken.rows.length > 0) {
    throw new Error(
      `public.${name} should become a partition of ${table}, but a table of that name exists and is not attached. ` +
        `Attach it (ALTER TABLE ${table} ATTACH PARTITION ${name} ${forValues(partition)}) or rename it.`,
    )
  }
  await tx.execute(`CREATE TABLE public.${name} (LIKE public.${table} INCLUDING ALL)`)
  if (table === 'sensor_readings') await tx.execute(createKey(name, isPast ? 'closed' : 'open'))
  // Rights are granted on the parent; default privileges would open a second door to the same rows.
  await tx.execute(`REVOKE ALL ON public.${name} FROM PUBLIC`)
  await attach(tx, table, name, partition)
  return name
}

async function attach(tx: Transaction, table: PartitionedTable, name: string, range: Range): Promise<void> {
  await tx.execute(
    `ALTER TABLE public.${table} ATTACH PARTITION public.${escapeIdentifier(name)} ${forValues(range)}`,
  )
}

function forValues({ fromMs, toMs }: Range): string {
  return `FOR VALUES FROM ('${iso(fromMs)}') TO ('${iso(toMs)}')`
}

function iso(ms: number): string {
  return new Date(ms).toISOString()
}

async function requireKeys(tx: Transaction): Promise<void> {
  const { rows } = await tx.execute<PartitionKeys & Record<string, unknown>>(PARTITION_KEYS)
  const bare = rows.find((row) => row.open === null && row.closed === null)
  if (!bare) return
  throw new Error(
    `The partition ${bare.partition} has no unique index over device and time: readings could be stored twice there. ` +
      `Create it: ${createKey(bare.partition, 'closed')}`,
  )
}
