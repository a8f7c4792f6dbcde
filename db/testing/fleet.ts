import type { Pool } from 'pg'
import { type HashCost, hashSecret } from '../credentials.ts'

/** The secret of every hub of a test fleet. */
export const TEST_SECRET = 'test-secret'

/** For fleets that tests apply: a fleet of two dozen log-ins would cost a quarter of a second of CPU at the real cost. */
export const TEST_HASH_COST: HashCost = { N: 16, r: 1, p: 1 }

export interface TestFleet {
  organizationId: number
  siteId: number
  unitId: number
  hubs: { id: number; key: string }[]
  devices: { id: number; devEui: string }[]
}

let hash: Promise<string> | undefined

/**
 * An organization `slug` with one site, one area, one unit, hubs `<slug>-hub-1`, … and devices in the unit. DevEUIs
 * begin with `euiPrefix` (hex), so that fleets of one database do not collide.
 */
export async function createTestFleet(
  pool: Pool,
  options: { slug: string; hubs: number; devices: number; euiPrefix: string },
): Promise<TestFleet> {
  hash ??= hashSecret(TEST_SECRET)
  const one = async (sql: string, values: unknown[]): Promise<number> =>
    (await pool.query<{ id: number }>(`${sql} RETURNING id`, values)).rows[0]?.id ?? 0
  const organizationId = await one(
    `INSERT INTO organizations (slug, name, timezone) VALUES ($1, $1, 'Europe/Berlin')`,
    [options.slug],
  )
  const siteId = await one(
    `INSERT INTO sites (organization_id, name, timezone) VALUES ($1, 'Site', 'Europe/Berlin')`,
    [organizationId],
  )
  const areaId = await one(`INSERT INTO areas (organization_id, site_id, name) VALUES ($1, $2, 'Area')`, [
    organizationId,
    siteId,
  ])
  const unitId = await one(
    `INSERT INTO units (organization_id, area_id, name, unit_type) VALUES ($1, $2, 'Unit', 'fridge')`,
    [organizationId, areaId],
  )
  const hubs = await pool.query<{ id: number; key: string }>(
    `INSERT INTO hubs (organization_id, site_id, key, name, credential_hash)
     SELECT $1, $2, $3 || '-hub-' || n, 'Hub ' || n, $4 FROM generate_series(1, $5::int) n RETURNING id, key`,
    [organizationId, siteId, options.slug, await hash, options.hubs],
  )
  const devices = await pool.query<{ id: number; devEui: string }>(
    `INSERT INTO devices (organization_id, unit_id, hub_id, device_eui, name, device_type, status)
     SELECT $1, $2, $3, $4 || lpad(to_hex(n), 16 - length($4), '0'), 'Device ' || n, 'temperature', 'active'
     FROM generate_series(1, $5::int) n RETURNING id, device_eui AS "devEui"`,
    [organizationId, unitId, hubs.rows[0]?.id ?? null, options.euiPrefix, options.devices],
  )
  return { organizationId, siteId, unitId, hubs: hubs.rows, devices: devices.rows }
}
