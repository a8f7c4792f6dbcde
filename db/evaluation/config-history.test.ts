import { Pool } from 'pg'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createTestFleet, type TestFleet } from '../testing/fleet.ts'
import { createTestDatabase, type TestDatabase } from '../testing/test-database.ts'
import { configVersion } from './config-version.ts'

let database: TestDatabase
let pool: Pool
let fleet: TestFleet
let fleets = 0

beforeAll(async () => {
  database = await createTestDatabase()
  pool = new Pool({ connectionString: database.url })
})

afterAll(async () => {
  await pool.end()
  await database.drop()
})

beforeEach(async () => {
  fleets += 1
  const euiPrefix = fleets.toString(16).padStart(4, '0')
  fleet = await createTestFleet(pool, { slug: `test-${fleets}`, hubs: 1, devices: 1, euiPrefix })
})

const deviceId = () => fleet.devices[0]?.id ?? 0
const execute = (sql: string, values: unknown[] = []) => pool.query(sql, values)

interface Entry {
  from: string
  values: Record<string, unknown>
}

/** Times as PostgreSQL writes them. */
async function history(entity: 'unit' | 'device', id: number): Promise<Entry[]> {
  const { rows } = await pool.query<Entry>(
    `SELECT valid_from::text AS from, "values" FROM pipeline.config_history
     WHERE entity = $1 AND entity_id = $2 ORDER BY valid_from`,
    [entity, id],
  )
  return rows
}

const unitHistory = () => history('unit', fleet.unitId)

describe('the history of units and devices', () => {
  test('begins with the beginning of time', async () => {
    expect(await unitHistory()).toEqual([
      {
        from: '-infinity',
        values: {
          temp_min: null,
          temp_max: null,
          site_id: fleet.siteId,
          is_monitored: true,
          manual_monitoring_required: false,
          manual_monitoring_interval_seconds: null,
        },
      },
    ])
    expect(await history('device', deviceId())).toEqual([
      {
        from: '-infinity',
        values: { hub_id: fleet.hubs[0]?.id, device_type: 'temperature', reporting_interval_seconds: null },
      },
    ])
  })

  test('has an entry from each change on', async () => {
    await execute('UPDATE units SET temp_max = 5 WHERE id = $1', [fleet.unitId])
    await execute('SELECT pg_sleep(0.01)')
    await execute('UPDATE units SET temp_max = 6.5 WHERE id = $1', [fleet.unitId])
    await execute('UPDATE devices SET reporting_interval_seconds = 60 WHERE id = $1', [deviceId()])
    const [first, second, third, ...more] = await unitHistory()
    expect([first, second, third].map((entry) => entry?.values['temp_max'])).toEqual([null, 5, 6.5])
    expect(Date.parse(second?.from ?? '')).toBeLessThan(Date.parse(third?.from ?? ''))
    expect(more).toEqual([])
    const ofDevice = await history('device', deviceId())
    expect(ofDevice.map(({ values }) => values['reporting_interval_seconds'])).toEqual([null, 60])
  })

  test('has one entry for several changes of one transaction, and none where nothing changes', async () => {
    await execute(`BEGIN; UPDATE units SET temp_max = 5 WHERE id = ${fleet.unitId};
      UPDATE units SET temp_max = 7 WHERE id = ${fleet.unitId}; COMMIT`)
    await execute('SELECT pg_sleep(0.01)')
    await execute(`UPDATE units SET temp_max = 7, status = 'ok', last_reading_at = now() WHERE id = $1`, [
      fleet.unitId,
    ])
    expect((await unitHistory()).map(({ values }) => values['temp_max'])).toEqual([null, 7])
  })

  test('knows when a unit was not monitored, was deleted, or stood elsewhere', async () => {
    const changes = [
      'UPDATE units SET monitoring_enabled = false WHERE id = $1',
      'UPDATE units SET monitoring_enabled = true WHERE id = $1',
      'UPDATE units SET deleted_at = now() WHERE id = $1',
    ]
    for (const change of changes) {
      await execute('SELECT pg_sleep(0.01)')
      await execute(change, [fleet.unitId])
    }
    expect((await unitHistory()).map(({ values }) => values['is_monitored'])).toEqual([
      true,
      false,
      true,
      false,
    ])
    await execute('SELECT pg_sleep(0.01)')
    const { rows } = await pool.query<{ id: number }>(
      `INSERT INTO sites (organization_id, name) VALUES ($1, 'Another') RETURNING id`,
      [fleet.organizationId],
    )
    await execute('UPDATE areas SET site_id = $1 WHERE organization_id = $2', [
      rows[0]?.id,
      fleet.organizationId,
    ])
    expect((await unitHistory()).at(-1)?.values['site_id']).toBe(rows[0]?.id)
  })
})

describe('the history of rules changed by SQL', () => {
  const makeRule = async (): Promise<number> => {
    const { rows } = await pool.query<{ id: number }>(
      `INSERT INTO alert_rules (organization_id, name, alert_type, severity, condition_type, condition)
       VALUES ($1, 'Too warm', 'alarm_active', 'critical', 'temperature_above', '{"limit": 5}') RETURNING id`,
      [fleet.organizationId],
    )
    return rows[0]?.id ?? 0
  }

  const ruleHistory = async (id: number) => {
    const { rows } = await pool.query<{
      version: number
      reason: string
      old_values: Record<string, unknown> | null
      new_values: Record<string, unknown> | null
    }>(
      'SELECT version, reason, old_values, new_values FROM alert_rules_history WHERE rule_id = $1 ORDER BY version',
      [id],
    )
    return rows
  }

  test('has a version for each change, with old and new', async () => {
    const id = await makeRule()
    await execute(`UPDATE alert_rules SET condition = '{"limit": 6}' WHERE id = $1`, [id])
    await execute('UPDATE alert_rules SET enabled = false WHERE id = $1', [id])
    await execute('UPDATE alert_rules SET deleted_at = now() WHERE id = $1', [id])
    const rows = await ruleHistory(id)
    expect(rows.map(({ version }) => version)).toEqual([1, 2, 3, 4])
    expect(rows[0]).toMatchObject({ reason: expect.stringMatching(/^SQL by ./), old_values: null })
    expect(rows[1]).toMatchObject({
      old_values: { condition: { limit: 5 } },
      new_values: { condition: { limit: 6 } },
    })
    expect(rows[2]).toMatchObject({ old_values: { enabled: true }, new_values: { enabled: false } })
    expect(rows[3]).toMatchObject({ old_values: { enabled: false }, new_values: null })
    const { rows: now } = await pool.query('SELECT version FROM alert_rules WHERE id = $1', [id])
    expect(now).toEqual([{ version: 4 }])
  })

  test('takes the version of whoever counts it', async () => {
    const id = await makeRule()
    await execute(`UPDATE alert_rules SET severity = 'info', version = version + 1 WHERE id = $1`, [id])
    expect((await ruleHistory(id)).map(({ version }) => version)).toEqual([1, 2])
  })

  test('leaves the row to whoever knows the reason', async () => {
    const id = await makeRule()
    await execute(`
      BEGIN;
      UPDATE alert_rules SET severity = 'info' WHERE id = ${id};
      INSERT INTO alert_rules_history (organization_id, rule_id, version, reason) VALUES (${fleet.organizationId}, ${id}, 2, 'season');
      COMMIT`)
    expect((await ruleHistory(id)).map(({ reason }) => reason)).toEqual([
      expect.stringMatching('SQL'),
      'season',
    ])
  })

  test('has nothing where nothing changes', async () => {
    const id = await makeRule()
    await execute(`UPDATE alert_rules SET severity = 'critical' WHERE id = $1`, [id])
    expect(await ruleHistory(id)).toHaveLength(1)
  })

  test('keeps a rule in its scope', async () => {
    const id = await makeRule()
    await expect(
      execute('UPDATE alert_rules SET unit_id = $1 WHERE id = $2', [fleet.unitId, id]),
    ).rejects.toThrow(/cannot move to another scope/)
  })
})

describe('the version of the configuration', () => {
  const grows = async (sql: string) => {
    const before = await configVersion(pool)
    await execute(sql)
    return (await configVersion(pool)) > before
  }
  const unit = () => `WHERE id = ${fleet.unitId}`

  const changes: Record<string, () => string> = {
    'a new rule': () =>
      `INSERT INTO alert_rules (organization_id, name, alert_type, severity, condition_type, condition)
       VALUES (${fleet.organizationId}, 'Silent', 'monitoring_interrupted', 'warning', 'no_data', '{}')`,
    'a calibration': () =>
      `INSERT INTO calibration_records (organization_id, device_id, calibrated_at) VALUES (${fleet.organizationId}, ${deviceId()}, now())`,
    "a unit's limit": () => `UPDATE units SET temp_min = -2 ${unit()}`,
    'the end of a unit': () => `UPDATE units SET deleted_at = now() ${unit()}`,
    "a device's interval": () =>
      `UPDATE devices SET reporting_interval_seconds = 30 WHERE id = ${deviceId()}`,
    "a device's place": () => `UPDATE devices SET unit_id = NULL WHERE id = ${deviceId()}`,
    "a site's time zone": () => `UPDATE sites SET timezone = 'Asia/Tokyo' WHERE id = ${fleet.siteId}`,
  }

  test.each(Object.keys(changes))('grows with %s', async (name) => {
    expect(await grows(changes[name]?.() ?? '')).toBe(true)
  })

  test('does not grow with what readings change', async () => {
    const readings = `UPDATE units SET status = 'ok', last_reading_at = now(), last_temperature = 4 ${unit()};
      UPDATE devices SET last_seen_at = now(), battery = 5 WHERE id = ${deviceId()}`
    expect(await grows(readings)).toBe(false)
  })
})
