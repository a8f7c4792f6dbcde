import type { ClientBase } from 'pg'
import { epochMs } from './instants.ts'

/** The times of the last manual logs of each of these units, oldest first, at most `limit` each. */
export async function readManualLogs(
  client: ClientBase,
  unitIds: readonly number[],
  limit: number,
): Promise<Map<number, number[]>> {
  const { rows } = await client.query<{ unitId: number; atMs: number }>(
    `SELECT u.id AS "unitId", ${epochMs('l.recorded_at')} AS "atMs"
     FROM unnest($1::int4[]) AS u (id)
     CROSS JOIN LATERAL (SELECT recorded_at FROM public.manual_temperature_logs
       WHERE unit_id = u.id ORDER BY recorded_at DESC LIMIT $2) l
     ORDER BY l.recorded_at`,
    [unitIds, limit],
  )
  return groupTimes(rows)
}

function groupTimes(rows: readonly { unitId: number; atMs: number }[]): Map<number, number[]> {
  const times = new Map<number, number[]>()
  for (const { unitId, atMs } of rows) {
    const known = times.get(unitId)
    if (known) known.push(Math.round(atMs))
    else times.set(unitId, [Math.round(atMs)])
  }
  return times
}

export interface CalibrationRow {
  deviceId: number
  calibratedAtMs: number
  expiresAtMs: number | null
}

/** The calibrations of these devices, oldest first. */
export async function readCalibrationTerms(
  client: ClientBase,
  deviceIds: readonly number[],
): Promise<CalibrationRow[]> {
  const { rows } = await client.query<CalibrationRow>(
    `SELECT device_id AS "deviceId", round(${epochMs('calibrated_at')}) AS "calibratedAtMs", round(${epochMs('expires_at')}) AS "expiresAtMs"
     FROM public.calibration_records WHERE device_id = ANY ($1::int4[]) ORDER BY device_id, calibrated_at`,
    [deviceIds],
  )
  return rows
}
