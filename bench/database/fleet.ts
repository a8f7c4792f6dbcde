import type { Pool } from 'pg'
import { createTestFleet } from '../../db/testing/fleet.ts'
import { DEVICES_PER_UNIT } from '../layout/arrivals.ts'

/** Between two readings of a device. */
export const INTERVAL_SECONDS = 300

/** A rule of the whole organization, as a fleet file has it. */
export interface FleetRule {
  name: string
  alertType: 'alarm_active' | 'low_battery'
  /** Its type and its numbers. */
  condition: { type: string } & Record<string, unknown>
}

/** Three of each unit, as most have them. What the generator measures keeps within them. */
const USUAL_RULES: readonly FleetRule[] = [
  {
    name: 'Too warm',
    alertType: 'alarm_active',
    condition: { type: 'temperature_above', limit: 8, for_seconds: 600 },
  },
  { name: 'Too cold', alertType: 'alarm_active', condition: { type: 'temperature_below', limit: 0 } },
  { name: 'Battery', alertType: 'low_battery', condition: { type: 'battery_below', limit: 20 } },
]

/** A device of a fleet, which stands in a unit with others. */
export interface FleetDevice {
  id: number
  unitId: number
  organizationId: number
}

/**
 * A fleet as in the field: units of three devices that report every five minutes, through hubs that speak for as many devices
 * each, and rules. DevEUIs are numbered from 1 on; the devices come in that order.
 */
export async function createFleet(
  pool: Pool,
  options: { slug: string; hubs: number; devices: number; euiPrefix: string; rules?: readonly FleetRule[] },
): Promise<FleetDevice[]> {
  const { devices, euiPrefix, rules = USUAL_RULES } = options
  const { organizationId, unitId, hubs } = await createTestFleet(pool, { ...options, devices: 0 })
  // First: they hold for all that is measured.
  await createRules(pool, organizationId, rules)
  const units = await pool.query<{ id: number }>(
    `INSERT INTO units (organization_id, area_id, name, unit_type)
     SELECT organization_id, area_id, 'Unit ' || n, unit_type FROM units, generate_series(1, $2::int) n
     WHERE id = $1 ORDER BY n RETURNING id`,
    [unitId, Math.ceil(devices / DEVICES_PER_UNIT)],
  )
  const ids = units.rows.map(({ id }) => id)
  const { rows } = await pool.query<FleetDevice>(
    `INSERT INTO devices (organization_id, unit_id, hub_id, device_eui, name, reporting_interval_seconds)
     SELECT $1, ($2::int[])[(n - 1) / $3::int + 1], ($7::int[])[(n - 1)::bigint * cardinality($7::int[]) / $6::int + 1],
       $4 || lpad(to_hex(n), 16 - length($4), '0'), 'Device ' || n, $5
     FROM generate_series(1, $6::int) n ORDER BY n
     RETURNING id, unit_id AS "unitId", organization_id AS "organizationId"`,
    [organizationId, ids, DEVICES_PER_UNIT, euiPrefix, INTERVAL_SECONDS, devices, hubs.map(({ id }) => id)],
  )
  return rows
}

async function createRules(pool: Pool, organizationId: number, rules: readonly FleetRule[]): Promise<void> {
  for (const {
    name,
    alertType,
    condition: { type, ...numbers },
  } of rules) {
    await pool.query(
      `INSERT INTO alert_rules (organization_id, name, alert_type, severity, condition_type, condition)
       VALUES ($1, $2, $3, 'critical', $4, $5)`,
      [organizationId, name, alertType, type, numbers],
    )
  }
}
