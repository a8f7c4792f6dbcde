import { Pool } from 'pg'
import { pino } from 'pino'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import type { DeviceRecord, LogInRecord } from '../db/registry.ts'
import { createTestFleet, type TestFleet } from '../db/testing/fleet.ts'
import { createTestDatabase, type TestDatabase } from '../db/testing/test-database.ts'
import { principalOf, Registry } from './registry.ts'

const REVOKED = 'gone-hub'

let database: TestDatabase
let pool: Pool
let fleet: TestFleet
let registry: Registry
let told: string[]

beforeAll(async () => {
  database = await createTestDatabase()
  pool = new Pool({ connectionString: database.url })
  fleet = await createTestFleet(pool, { slug: 'test', hubs: 1, devices: 1, euiPrefix: 'a8' })
})

beforeEach(() => {
  told = []
  registry = new Registry({
    pool,
    log: pino({ level: 'silent' }),
    refreshMs: 60_000,
    onReloaded: () => told.push('reloaded'),
    onChanged: () => told.push('changed'),
  })
})

afterEach(() => registry.stop())

afterAll(async () => {
  await pool.end()
  await database.drop()
})

/** As it was known before: another id of the device, and a hub that is gone by now. */
function remembered(): { devices: DeviceRecord[]; logIns: LogInRecord[] } {
  const devEui = fleet.devices[0]?.devEui ?? ''
  return {
    devices: [{ id: -1, devEui, organizationId: fleet.organizationId, assignments: [] }],
    logIns: [
      { kind: 'hub', name: REVOKED, id: -1, organizationId: 1, siteId: fleet.siteId, credentialHash: 'x' },
    ],
  }
}

test('what is remembered is known, and the database is not asked until it has been loaded', async () => {
  let asked = 0
  pool.on('acquire', () => {
    asked += 1
  })
  registry.restore(remembered())
  const { name: hub, devEui } = { name: fleet.hubs[0]?.key ?? '', devEui: fleet.devices[0]?.devEui ?? '' }
  expect(registry.device(devEui)?.id).toBe(-1)
  expect(registry.logIn(REVOKED)).toBeDefined()
  expect(registry.hubKey(-1)).toBe(REVOKED)
  await expect(registry.lookUpLogIn(hub)).rejects.toThrow('away since the start')
  await expect(registry.lookUpDevice(devEui)).rejects.toThrow('away since the start')
  expect(asked).toBe(0)
  expect(told).toEqual([])
})

test('what is loaded takes the place of what was remembered', async () => {
  registry.restore(remembered())
  await registry.start()
  expect(told).toEqual(['reloaded', 'changed'])
  expect(registry.logIn(REVOKED)).toBeUndefined()
  expect(registry.hubKey(-1)).toBeUndefined()
  expect(registry.device(fleet.devices[0]?.devEui ?? '')?.id).toBe(fleet.devices[0]?.id)
  const again = await registry.lookUpLogIn(fleet.hubs[0]?.key ?? '')
  expect(again?.id).toBe(fleet.hubs[0]?.id)
  expect([...registry.contents().devices]).toHaveLength(1)
})

test('also while something changes all the time, so that it cannot be loaded at rest', async () => {
  registry.restore(remembered())
  const change = () => pool.query('UPDATE pipeline.registry_version SET version = version + 1')
  let isLoading = true
  const changes = (async () => {
    while (isLoading) await change()
  })()
  await registry.start()
  isLoading = false
  await changes
  expect(registry.logIn(REVOKED)).toBeUndefined()
  expect(registry.device(fleet.devices[0]?.devEui ?? '')?.id).toBe(fleet.devices[0]?.id)
})

test('a start that fails may be tried again', async () => {
  registry.restore(remembered())
  await pool.query('ALTER TABLE pipeline.registry_version RENAME TO away')
  await expect(registry.start()).rejects.toThrow('registry_version')
  expect(registry.logIn(REVOKED)).toBeDefined()
  await pool.query('ALTER TABLE pipeline.away RENAME TO registry_version')
  await registry.start()
  expect(registry.logIn(REVOKED)).toBeUndefined()
})

test('a look-up that a reload has overtaken does not put a revoked log-in back', async () => {
  await registry.start()
  const hub = fleet.hubs[0]?.key ?? ''
  const known = registry.logIn(hub)
  if (!known) throw new Error('the hub may log in')
  // The answer is on its way while the log-in is revoked and the registry loads again.
  const [arrived, release] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  const query = pool.query.bind(pool)
  const slow = vi.spyOn(pool, 'query').mockImplementationOnce((async (sql: string, values: unknown[]) => {
    const answer = await query(sql, values)
    arrived.resolve()
    await release.promise
    return answer
  }) as never)
  const lookUp = registry.lookUpLogIn(hub)
  await arrived.promise
  slow.mockRestore()
  await pool.query('UPDATE public.hubs SET deleted_at = now() WHERE key = $1', [hub])
  await registry.start()
  release.resolve()
  await lookUp
  expect(registry.logIn(hub)).toBeUndefined()
  expect(registry.stillValid(principalOf(known))).toBe(false)
  expect([...registry.contents().logIns]).toEqual([])
})

test("it knows which temperature of a device is the unit's, and the version grows with a change of that alone", async () => {
  const { id = 0, devEui = '' } = fleet.devices[0] ?? {}
  const version = async () => {
    const result = await pool.query<{ version: string }>('SELECT version FROM pipeline.registry_version')
    return Number(result.rows[0]?.version)
  }
  const changed = async (sql: string) => {
    const before = await version()
    await pool.query(sql)
    return (await version()) > before
  }
  await registry.start()
  expect(registry.device(devEui)?.temperatureSource).toBeUndefined()
  const sensor = `INSERT INTO lora_sensors (organization_id, device_id, dev_eui, temperature_source)
    VALUES (${fleet.organizationId}, ${id}, '${devEui}', 'internal')`
  expect(await changed(sensor)).toBe(true)
  expect(await changed(`UPDATE lora_sensors SET temperature_source = 'external'`)).toBe(true)
  expect(await changed('UPDATE lora_sensors SET last_f_cnt = 7')).toBe(false)
  await registry.start()
  expect(registry.device(devEui)?.temperatureSource).toBe('external')
  await pool.query('UPDATE lora_sensors SET deleted_at = now()')
  await registry.start()
  expect(registry.device(devEui)?.temperatureSource).toBeUndefined()
})
