import type { Pool } from 'pg'
import { createTestFleet } from '../../db/testing/fleet.ts'
import { DEVICES_PER_UNIT } from '../layout/arrivals.ts'

/** Between two readings of a device. */
export const INTERVAL_SECONDS = 300

/** A device of a fleet, which stands in a unit with others. */
export interface FleetDevice {
  id: number
  unitId: number
  organizationId: number
}

/**
 * A fleet as in the field: units of three devices that report every five minutes. DevEUIs are numbered from 1 on; the
 * devices come in that order.
 */
export async function createFleet(
  pool: Pool,
  options: { slug: string; hubs: number; devices: number; euiPrefix: string },
): Promise<FleetDevice[]> {
  const { devices, euiPrefix } = options
  const { organizationId, unitId } = await createTestFleet(pool, { ...options, devices: 0 })
  const units = await pool.query<{ id: number }>(
    `INSERT INTO units (organization_id, area_id, name, unit_type)
     SELECT organization_id, area_id, 'Unit ' || n, unit_type FROM units, generate_series(1, $2::int) n
     WHERE id = $1 ORDER BY n RETURNING id`,
    [unitId, Math.ceil(devices / DEVICES_PER_UNIT)],
  )
  const ids = units.rows.map(({ id }) => id)
  const { rows } = await pool.query<FleetDevice>(
    `INSERT INTO devices (organization_id, unit_id, device_eui, name, reporting_interval_seconds)
     SELECT $1, ($2::int[])[(n - 1) / $3::int + 1], $4 || lpad(to_hex(n), 16 - length($4), '0'), 'Device ' || n, $5
     FROM generate_series(1, $6::int) n ORDER BY n
     RETURNING id, unit_id AS "unitId", organization_id AS "organizationId"`,
    [organizationId, ids, DEVICES_PER_UNIT, euiPrefix, INTERVAL_SECONDS, devices],
  )
  return rows
}
