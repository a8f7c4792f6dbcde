import type { Pool } from 'pg'
import { type Ledger, readingKey } from './publishers.ts'

export interface Comparison {
  acknowledged: number
  stored: number
  /** Acknowledged and not stored: keys of device and time. */
  lost: string[]
  neverSent: string[]
  storedTwice: string[]
  /** Readings in the ledger of batches, of all organizations; as many as are stored. */
  readingsInBatches: number
}

/** What a comparison must say: what was acknowledged is stored, once, and nothing else. */
export const STORED_ONCE = { lost: [], neverSent: [], storedTwice: [] }

/**
 * Everything that is stored of an organization, against what its publishers have sent and what was acknowledged; with
 * `fromMs`, only what was measured since.
 */
export async function compareStored(
  pool: Pool,
  { organizationId, fromMs = 0 }: { organizationId: number; fromMs?: number },
  ledger: Ledger,
): Promise<Comparison> {
  const { rows } = await pool.query<{ devEui: string; atMs: number; copies: number }>(
    `SELECT d.device_eui AS "devEui", (extract(epoch FROM r.recorded_at) * 1000)::float8 AS "atMs",
       count(*)::int AS copies
     FROM sensor_readings r JOIN devices d ON d.id = r.device_id
     WHERE d.organization_id = $1 AND r.recorded_at >= $2 GROUP BY 1, 2`,
    [organizationId, new Date(fromMs)],
  )
  const batches = await pool.query<{ readings: number }>(
    'SELECT coalesce(sum(readings), 0)::int AS readings FROM pipeline.ingest_batches',
  )
  const stored = new Set(rows.map(({ devEui, atMs }) => readingKey(devEui, atMs)))
  return {
    acknowledged: ledger.acknowledged.size,
    stored: stored.size,
    lost: [...ledger.acknowledged].filter((key) => !stored.has(key)),
    neverSent: [...stored].filter((key) => !ledger.attempted.has(key)),
    storedTwice: rows.filter(({ copies }) => copies > 1).map(({ devEui, atMs }) => readingKey(devEui, atMs)),
    readingsInBatches: batches.rows[0]?.readings ?? 0,
  }
}
