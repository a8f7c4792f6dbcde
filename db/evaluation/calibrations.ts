import type { ClientBase } from 'pg'
import { epochMs } from './instants.ts'

/** An offset that holds from a time on, until the next one of the device. */
export interface Calibration {
  deviceId: number
  /** Epoch milliseconds. */
  fromMs: number
  offsetCenti: number
}

/** The temperature offsets of these devices, each device's in order of time; of all devices when none are named. */
export async function readCalibrations(
  client: Pick<ClientBase, 'query'>,
  deviceIds?: readonly number[],
): Promise<Calibration[]> {
  const { rows } = await client.query<Calibration>(
    `SELECT device_id AS "deviceId", ${epochMs('calibrated_at')} AS "fromMs", coalesce(nullif(temperature_offset, 'NaN') * 100, 0)::integer AS "offsetCenti"
     FROM public.calibration_records WHERE $1::int4[] IS NULL OR device_id = ANY ($1) ORDER BY device_id, calibrated_at`,
    [deviceIds ?? null],
  )
  return rows
}
