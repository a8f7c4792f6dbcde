import { type SQL, sql } from 'drizzle-orm'
import { escapeIdentifier } from 'pg'

/**
 * How a partition of `sensor_readings` is keyed. Both orders make device and time unique. `open`: time first, written
 * at its right edge only, however many devices there are. `closed`: device first and packed, for reading one device.
 * PostgreSQL allows a key of the whole table only in one order, so each partition has its own (docs/decisions/0005).
 */
export type KeyOrder = 'open' | 'closed'

const COLUMNS: Record<KeyOrder, string> = {
  open: 'recorded_at, device_id',
  closed: 'device_id, recorded_at',
}

function keyName(partition: string, order: KeyOrder): string {
  return `${partition}_${order === 'open' ? 'time' : 'device'}_key`
}

/** The statement that keys a partition; `concurrently` while it is written. */
export function createKey(partition: string, order: KeyOrder, options = { concurrently: false }): string {
  const concurrently = options.concurrently ? 'CONCURRENTLY ' : ''
  const packed = order === 'closed' ? ' WITH (fillfactor = 100)' : ''
  const name = escapeIdentifier(keyName(partition, order))
  return `CREATE UNIQUE INDEX ${concurrently}${name} ON public.${escapeIdentifier(partition)} (${COLUMNS[order]})${packed}`
}

export interface PartitionKeys {
  partition: string
  /** As PostgreSQL writes it: FOR VALUES FROM ... TO ... */
  bounds: string
  /** Names of its unique indexes over device and time, in either order. */
  open: string | null
  closed: string | null
  /** One of these that an interrupted CREATE INDEX CONCURRENTLY has left behind. */
  invalid: string | null
}

/**
 * Rows of `oid`, `name` and `bounds` for the partitions of a table. The bounds of one that is dropped since the statement
 * began are null: pg_get_expr waits for whoever drops it and then finds it gone, though the statement still sees its row.
 * To be put into a MATERIALIZED part of the statement, so that they are asked for once.
 */
export function partitionsOf(table: string): SQL {
  return sql`SELECT c.oid, c.relname::text AS name, pg_get_expr(c.relpartbound, c.oid) AS bounds
    FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = ${`public.${table}`}::regclass`
}

/** The partitions of `sensor_readings` with their keys, oldest name first. */
export const PARTITION_KEYS: SQL = sql`
  WITH partitions AS MATERIALIZED (${partitionsOf('sensor_readings')}), keys AS (
    SELECT i.indrelid, i.indisvalid, c.relname::text AS name,
      (SELECT string_agg(a.attname, ', ' ORDER BY k.position)
       FROM unnest(i.indkey) WITH ORDINALITY AS k (number, position)
       JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number) AS columns
    FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
    WHERE i.indisunique AND i.indpred IS NULL)
  SELECT p.name AS partition, p.bounds,
    min(keys.name) FILTER (WHERE indisvalid AND columns = ${COLUMNS.open}) AS open,
    min(keys.name) FILTER (WHERE indisvalid AND columns = ${COLUMNS.closed}) AS closed,
    min(keys.name) FILTER (WHERE NOT indisvalid AND columns IN (${COLUMNS.open}, ${COLUMNS.closed})) AS invalid
  FROM partitions p LEFT JOIN keys ON keys.indrelid = p.oid
  WHERE p.bounds IS NOT NULL
  GROUP BY p.oid, p.name, p.bounds ORDER BY p.name COLLATE "C"`
