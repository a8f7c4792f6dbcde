import { sql } from 'drizzle-orm'
import type { NodePgDatabase } from 'drizzle-orm/node-postgres'
import { type PlannedPartition, planPartitions, type Range } from './partition-plan.ts'

const PARTITIONED_TABLES = ['sensor_readings', 'door_events'] as const
type PartitionedTable = (typeof PARTITIONED_TABLES)[number]

/** Two processes that start at once take turns. */
const LOCK = { space: 7_263, key: 2 }

const LOCK_TIMEOUT_MS = 10_000

type Transaction = Pick<NodePgDatabase, 'execute'>

/**
 * Creates the partitions of both hot tables that are missing from 2015 to `now` + 62 days, and returns their names.
 * Idempotent, and safe to run beside ingest and other processes: a new partition is created apart and then attached,
 * which does not stop writers. Fails with 55P03 after 10 s behind another lock, and nothing is changed then.
 */
export async function ensurePartitions<S extends Record<string, unknown>>(
  db: NodePgDatabase<S>,
  now: Date,
): Promise<string[]> {
  return db.transaction(async (tx) => {
    await tx.execute(`SET LOCAL lock_timeout = ${LOCK_TIMEOUT_MS}`)
    await tx.execute(sql`SELECT pg_advisory_xact_lock(${LOCK.space}::int, ${LOCK.key}::int)`)
    // Bounds are read as text below.
    await tx.execute(`SET LOCAL timezone = 'UTC'; SET LOCAL datestyle = 'ISO'`)
    const created: string[] = []
    for (const table of PARTITIONED_TABLES) {
      const planned = planPartitions(await existingRanges(tx, table), now.getTime())
      for (const partition of planned) created.push(await createPartition(tx, table, partition))
    }
    return created
  })
}

async function existingRanges(tx: Transaction, table: PartitionedTable): Promise<Range[]> {
  const result = await tx.execute<{ bounds: string }>(sql`
    SELECT pg_get_expr(c.relpartbound, c.oid) AS bounds
    FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
    WHERE i.inhparent = ${`public.${table}`}::regclass AND pg_get_expr(c.relpartbound, c.oid) <> 'DEFAULT'`)
  return result.rows.map((row) => parseBounds(row.bounds))
}

/** Reads `FOR VALUES FROM ('2015-01-01 00:00:00+00') TO (MAXVALUE)`. */
function parseBounds(bounds: string): Range {
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
  partition: PlannedPartition,
): Promise<string> {
  const name = `${table}_${partition.suffix}`
  const from = new Date(partition.fromMs).toISOString()
  const to = new Date(partition.toMs).toISOString()
  const taken = await tx.execute(sql`SELECT 1 WHERE to_regclass(${`public.${name}`}) IS NOT NULL`)
  if (taken.rows.length > 0) {
    throw new Error(
      `public.${name} should become a partition of ${table}, but a table of that name exists and is not attached. ` +
        `Attach it (ALTER TABLE ${table} ATTACH PARTITION ${name} FOR VALUES FROM ('${from}') TO ('${to}')) or rename it.`,
    )
  }
  await tx.execute(`CREATE TABLE public.${name} (LIKE public.${table} INCLUDING ALL)`)
  // Rights are granted on the parent; default privileges would open a second door to the same rows.
  await tx.execute(`REVOKE ALL ON public.${name} FROM PUBLIC`)
  await tx.execute(
    `ALTER TABLE public.${table} ATTACH PARTITION public.${name} FOR VALUES FROM ('${from}') TO ('${to}')`,
  )
  return name
}
