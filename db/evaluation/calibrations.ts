import type { ClientBase } from 'pg'
import { epochMs } from './instants.ts'

/** An offset that holds from a time on, until the next one of the device. */
export interface Calibration {
  deviceId: number
  /** Epoch milliseconds. */
  fromMs: number
  offsetCenti: number
}

/** The temperature offsets of all devices, each device's in order of time. */
export async function readCalibrations(client: Pick<ClientBase, 'query'>): Promise<Calibration[]> {
  const { rows } = await client.query<Calibration>(
    `SELECT device_id AS "deviceId", ${epochMs('calibrated_at')} AS "fromMs", coalesce(nullif(temperature_offset, 'NaN') * 100, 0)::integer AS "offsetCenti"
     FROM public.calibration_records ORDER BY device_id, calibrated_at`,
  )
  return rows
}
