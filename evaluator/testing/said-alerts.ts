import type { Pool } from 'pg'

/** What an alert says, times as minutes from the fleet's beginning. */
export interface AlertSaid {
  rule: string | null
  status: string
  started: number
  triggered: number
  ended: number | null
  peak: number | null
  confirmed: number
  retrospective: boolean
  resolution: string | null
}

/** All alerts, in order of their beginning. */
export async function readAlerts(pool: Pool, beginMs: number): Promise<AlertSaid[]> {
  const minute = (column: string) =>
    `round(((extract(epoch FROM ${column}) * 1000 - $1::bigint) / 60000)::numeric, 3)::float8`
  const { rows } = await pool.query<AlertSaid>(
    `SELECT r.name AS rule, a.status, ${minute('a.started_at')} AS started, ${minute('a.triggered_at')} AS triggered,
       ${minute('a.ended_at')} AS ended, a.peak_value::float8 AS peak, a.confirmed_seconds / 60 AS confirmed, a.retrospective, a.resolution
     FROM alerts a LEFT JOIN alert_rules r ON r.id = a.rule_id ORDER BY a.started_at, a.id`,
    [beginMs],
  )
  return rows
}
