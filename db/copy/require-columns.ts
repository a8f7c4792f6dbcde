import type { Pool } from 'pg'
import { doorColumns } from './doors.ts'
import { readingColumns } from './readings.ts'

/**
 * Binary COPY names no types: a column of the same width but another type would take nonsense without an error. So
 * the columns are compared with what the encoders write, once at start. Throws a sentence that names the column.
 */
export async function requireCopyColumns(pool: Pool): Promise<void> {
  await requireColumns(pool, 'sensor_readings', readingColumns)
  await requireColumns(pool, 'door_events', doorColumns)
}

async function requireColumns(
  pool: Pool,
  table: string,
  expected: Readonly<Record<string, string>>,
): Promise<void> {
  const result = await pool.query<{ column: string; type: string }>(
    `SELECT a.attname AS column, t.typname AS type
     FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
     WHERE a.attrelid = ('public.' || $1)::regclass AND a.attnum > 0 AND NOT a.attisdropped`,
    [table],
  )
  const actual = new Map(result.rows.map((row) => [row.column, row.type]))
  for (const [column, type] of Object.entries(expected)) {
    if (actual.get(column) === type) continue
    throw new Error(
      `Column ${table}.${column} is ${actual.get(column) ?? 'missing'}, but FrostGuard writes ${type}. ` +
        'The table was changed by hand: undo that, or restore the schema from the migrations.',
    )
  }
}
