import type { Pool } from 'pg'

/** From `fromMs` to before `toMs`, epoch milliseconds. */
export interface DevicePeriod {
  deviceId: number
  fromMs: number
  toMs: number
}

/** At which times a reading or door event of the devices is stored, within the periods. */
export async function storedTimes(
  pool: Pool,
  periods: readonly DevicePeriod[],
): Promise<{ deviceId: number; atMs: number }[]> {
  if (periods.length === 0) return []
  const result = await pool.query<{ deviceId: number; atMs: number }>(
    `SELECT g.device_id AS "deviceId", round(extract(epoch FROM stored.at) * 1000)::float8 AS "atMs"
     FROM (
       SELECT device_id, to_timestamp(from_ms / 1000) AS from_at, to_timestamp(to_ms / 1000) AS to_at
       FROM unnest($1::int4[], $2::float8[], $3::float8[]) AS given (device_id, from_ms, to_ms)
     ) g
     CROSS JOIN LATERAL (
       SELECT r.recorded_at AS at FROM public.sensor_readings r
       WHERE r.device_id = g.device_id AND r.recorded_at >= g.from_at AND r.recorded_at < g.to_at
       UNION ALL
       SELECT e.occurred_at FROM public.door_events e
       WHERE e.device_id = g.device_id AND e.occurred_at >= g.from_at AND e.occurred_at < g.to_at
     ) stored`,
    [
      periods.map((period) => period.deviceId),
      periods.map((period) => period.fromMs),
      periods.map((period) => period.toMs),
    ],
  )
  return result.rows
}
