import type { Pool } from 'pg'
import { queryWithLimit } from '../limited-query.ts'
import { BROKER_AWAY_MS } from '../publishing/brokers.ts'

/** A broker's return ends what is begun here: see `noteBroker`. Where there was never one, nothing is known. */
const LOOK = `
  WITH last AS (
    SELECT id, ended_at FROM pipeline.downtime_intervals WHERE part = 'broker' ORDER BY id DESC LIMIT 1
  ), begun AS (
    INSERT INTO pipeline.downtime_intervals (part, started_at, detail)
    SELECT 'broker', seen_at, 'no broker was there' FROM (SELECT max(seen_at) AS seen_at FROM pipeline.brokers) newest
    WHERE seen_at < now() - $1 * interval '1 ms' AND NOT EXISTS (SELECT FROM last WHERE ended_at IS NULL)
    RETURNING id, ended_at
  )
  SELECT id, ended_at IS NULL AS "isOpen" FROM (SELECT * FROM last UNION ALL SELECT * FROM begun) known
  ORDER BY id DESC LIMIT 1`

/**
 * Takes note of it when no broker is there any more: hubs cannot be heard. Returns what names the last such time and whether it
 * lasts: another answer than before means that silence is to be judged otherwise.
 */
export async function lookAtBrokers(pool: Pool): Promise<string> {
  const { rows } = await queryWithLimit<{ id: number; isOpen: boolean }>(pool, LOOK, [BROKER_AWAY_MS])
  const [last] = rows
  return last ? `${last.id} ${last.isOpen ? 'lasts' : 'is over'}` : 'none'
}
