/** A way to key and index one partition of `sensor_readings`. */
export interface Layout {
  name: string
  /** Statements that key the open partition `table`. */
  open(table: string): string[]
  /** Statements to be repeated while it is open, as a background job would. */
  keep(table: string): string[]
  /** Statements that close it: nothing is written there any more but late readings. */
  close(table: string): string[]
}

const deviceFirst = (table: string) =>
  `CREATE UNIQUE INDEX CONCURRENTLY ${table}_closed ON ${table} (device_id, recorded_at) WITH (fillfactor = 100)`

/** Every layout has the same BRIN on `batch_id` beside it, as the real table. */
export const LAYOUTS: readonly Layout[] = [
  {
    name: 'device first',
    open: (table) => [`CREATE UNIQUE INDEX ${table}_key ON ${table} (device_id, recorded_at)`],
    keep: () => [],
    close: (table) => [
      `ALTER INDEX ${table}_key SET (fillfactor = 100)`,
      `REINDEX INDEX CONCURRENTLY ${table}_key`,
    ],
  },
  {
    name: 'time first',
    open: (table) => [`CREATE UNIQUE INDEX ${table}_key ON ${table} (recorded_at, device_id)`],
    keep: () => [],
    close: (table) => [deviceFirst(table), `DROP INDEX CONCURRENTLY ${table}_key`],
  },
  {
    name: 'time first + bloom',
    open: (table) => [
      `CREATE UNIQUE INDEX ${table}_key ON ${table} (recorded_at, device_id)`,
      `CREATE INDEX ${table}_bloom ON ${table} USING brin
         (device_id int4_bloom_ops (n_distinct_per_range = 800)) WITH (pages_per_range = 8)`,
    ],
    keep: (table) => [`SELECT brin_summarize_new_values('${table}_bloom')`],
    close: (table) => [
      deviceFirst(table),
      `DROP INDEX CONCURRENTLY ${table}_key`,
      `DROP INDEX CONCURRENTLY ${table}_bloom`,
    ],
  },
]
