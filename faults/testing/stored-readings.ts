import type { Pool } from 'pg'
import { type Ledger, readingKey } from './publishers.ts'

/** What is wrong between a ledger and the database; all empty when acknowledged readings are stored, each once. */
export interface StoredDifference {
  /** Acknowledged and not stored. */
  lost: string[]
  /** Stored and never sent. */
  unknown: string[]
  /** Stored more than once. */
  doubled: string[]
}

export const NO_DIFFERENCE: StoredDifference = { lost: [], unknown: [], doubled: [] }

/** Compares what publishers of an organization have sent with what is stored of it. */
export async function compareStored(
  pool: Pool,
  organizationId: number,
  { attempted, acknowledged }: Ledger,
): Promise<StoredDifference> {
  const { rows } = await pool.query<{ devEui: string; atMs: number; copies: number }>(
    `SELECT d.device_eui AS "devEui", (extract(epoch FROM r.recorded_at) * 1000)::float8 AS "atMs",
       count(*)::int AS copies
     FROM sensor_readings r JOIN devices d ON d.id = r.device_id WHERE d.organization_id = $1 GROUP BY 1, 2`,
    [organizationId],
  )
  const copiesOf = new Map(rows.map(({ devEui, atMs, copies }) => [readingKey(devEui, atMs), copies]))
  return {
    lost: [...acknowledged].filter((key) => !copiesOf.has(key)),
    unknown: [...copiesOf.keys()].filter((key) => !attempted.has(key)),
    doubled: [...copiesOf].filter(([, copies]) => copies > 1).map(([key]) => key),
  }
}
