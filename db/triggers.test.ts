import { asc, eq, sql } from 'drizzle-orm'
import { drizzle, type NodePgDatabase } from 'drizzle-orm/node-postgres'
import { Client } from 'pg'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import {
  areas,
  deviceAssignments,
  devices,
  hubs,
  networkServers,
  operatorCredentials,
  organizations,
  registryVersion,
  sites,
  units,
} from './schema/index.ts'
import { createTestDatabase, type TestDatabase } from './testing/test-database.ts'

const BEGINNING = new Date(-8.64e15)
const END = new Date(8.64e15)

let database: TestDatabase
let client: Client
let db: NodePgDatabase
let fleet: Awaited<ReturnType<typeof makeFleet>>
let fleets = 0

beforeAll(async () => {
  database = await createTestDatabase()
  client = new Client({ connectionString: database.url })
  await client.connect()
  db = drizzle(client)
})

afterAll(async () => {
  await client?.end()
  await database?.drop()
})

beforeEach(async () => {
  fleet = await makeFleet()
})

/** Two sites with a hub, an area and a unit each, and a device of no place. */
async function makeFleet() {
  const number = ++fleets
  const [organization] = await db
    .insert(organizations)
    .values({ slug: `org-${number}`, name: 'Org' })
    .returning()
  const organizationId = organization?.id ?? 0
  const makeSite = async (name: string) => {
    const [site] = await db.insert(sites).values({ organizationId, name }).returning()
    const siteId = site?.id ?? 0
    const [hub] = await db
      .insert(hubs)
      .values({ organizationId, siteId, name, key: `hub-${name}-${number}` })
      .returning()
    const [area] = await db.insert(areas).values({ organizationId, siteId, name }).returning()
    const areaId = area?.id ?? 0
    const [unit] = await db
      .insert(units)
      .values({ organizationId, areaId, name, unitType: 'fridge' })
      .returning()
    return { siteId, areaId, hubId: hub?.id ?? 0, unitId: unit?.id ?? 0 }
  }
  const here = await makeSite('here')
  const there = await makeSite('there')
  const deviceEui = number.toString(16).padStart(16, '0')
  const [device] = await db.insert(devices).values({ organizationId, deviceEui }).returning()
  return { organizationId, here, there, deviceId: device?.id ?? 0 }
}

function moveDevice(values: { unitId?: number | null; hubId?: number | null }) {
  return db.update(devices).set(values).where(eq(devices.id, fleet.deviceId))
}

function assignments() {
  return db
    .select({
      siteId: deviceAssignments.siteId,
      unitId: deviceAssignments.unitId,
      hubId: deviceAssignments.hubId,
      validFrom: deviceAssignments.validFrom,
      validTo: deviceAssignments.validTo,
    })
    .from(deviceAssignments)
    .where(eq(deviceAssignments.deviceId, fleet.deviceId))
    .orderBy(asc(deviceAssignments.validFrom))
}

describe('device assignments', () => {
  it('hold from the beginning of time for a new device', async () => {
    expect(await assignments()).toEqual([
      { siteId: null, unitId: null, hubId: null, validFrom: BEGINNING, validTo: END },
    ])
  })

  it('end and begin at the same instant when the device moves', async () => {
    await moveDevice({ unitId: fleet.here.unitId })
    await db.execute(sql`SELECT pg_sleep(0.01)`)
    await moveDevice({ unitId: fleet.there.unitId })
    const [nowhere, here, there, ...more] = await assignments()
    expect(nowhere).toMatchObject({ unitId: null, validFrom: BEGINNING, validTo: here?.validFrom })
    expect(here).toMatchObject({
      unitId: fleet.here.unitId,
      siteId: fleet.here.siteId,
      validTo: there?.validFrom,
    })
    expect(there).toMatchObject({ unitId: fleet.there.unitId, siteId: fleet.there.siteId, validTo: END })
    expect(more).toEqual([])
  })

  it('take the site of the unit, else that of the hub', async () => {
    await moveDevice({ hubId: fleet.there.hubId })
    expect((await assignments()).at(-1)).toMatchObject({ siteId: fleet.there.siteId, unitId: null })
    await db.execute(sql`SELECT pg_sleep(0.01)`)
    await moveDevice({ unitId: fleet.here.unitId })
    expect((await assignments()).at(-1)).toMatchObject({
      siteId: fleet.here.siteId,
      hubId: fleet.there.hubId,
    })
  })

  it('have one row for several changes in one transaction', async () => {
    await db.transaction(async () => {
      await moveDevice({ unitId: fleet.here.unitId })
      await moveDevice({ hubId: fleet.here.hubId })
      await moveDevice({ unitId: fleet.there.unitId })
    })
    const rows = await assignments()
    expect(rows).toHaveLength(2)
    expect(rows[1]).toMatchObject({ unitId: fleet.there.unitId, hubId: fleet.here.hubId })
  })

  it('stay as they are when nothing moves', async () => {
    await moveDevice({ unitId: null })
    await db.update(devices).set({ battery: 50 }).where(eq(devices.id, fleet.deviceId))
    expect(await assignments()).toHaveLength(1)
  })

  it('follow a hub, an area and a unit to another site', async () => {
    await moveDevice({ hubId: fleet.here.hubId })
    const site = { siteId: fleet.there.siteId }
    await db.execute(sql`SELECT pg_sleep(0.01)`)
    await db.update(hubs).set(site).where(eq(hubs.id, fleet.here.hubId))
    expect((await assignments()).at(-1)).toMatchObject(site)
    await db.execute(sql`SELECT pg_sleep(0.01)`)
    await moveDevice({ unitId: fleet.here.unitId })
    expect((await assignments()).at(-1)).toMatchObject({ siteId: fleet.here.siteId })
    await db.execute(sql`SELECT pg_sleep(0.01)`)
    await db
      .update(units)
      .set({ areaId: fleet.there.areaId, name: 'moved' })
      .where(eq(units.id, fleet.here.unitId))
    expect((await assignments()).at(-1)).toMatchObject(site)
    await db.execute(sql`SELECT pg_sleep(0.01)`)
    const back = { siteId: fleet.here.siteId }
    await db
      .update(areas)
      .set({ ...back, name: 'moved' })
      .where(eq(areas.id, fleet.there.areaId))
    expect((await assignments()).at(-1)).toMatchObject(back)
    expect(await assignments()).toHaveLength(6)
  })

  it('go with their device', async () => {
    await db.delete(devices).where(eq(devices.id, fleet.deviceId))
    expect(await assignments()).toEqual([])
  })
})

describe('the registry version', () => {
  async function version() {
    const [row] = await db.select().from(registryVersion)
    return row?.version ?? 0n
  }

  async function grows(change: () => Promise<unknown>) {
    const before = await version()
    await change()
    return (await version()) > before
  }

  const device = () => eq(devices.id, fleet.deviceId)
  const hub = () => eq(hubs.id, fleet.here.hubId)
  const deletedAt = new Date('2026-11-20T10:00:00Z')

  const bumps: Record<string, () => Promise<unknown>> = {
    'a new organization': () => makeFleet(),
    "an organization's slug": () =>
      db.update(organizations).set({ slug: 'renamed' }).where(eq(organizations.id, fleet.organizationId)),
    "a site's time zone": () =>
      db.update(sites).set({ timezone: 'Europe/Berlin' }).where(eq(sites.id, fleet.here.siteId)),
    'the end of a unit': () => db.update(units).set({ deletedAt }).where(eq(units.id, fleet.here.unitId)),
    'an area that moves': () =>
      db
        .update(areas)
        .set({ siteId: fleet.there.siteId, name: 'moved' })
        .where(eq(areas.id, fleet.here.areaId)),
    "a hub's key": () => db.update(hubs).set({ key: 'hub-renamed' }).where(hub()),
    "a hub's secret": () => db.update(hubs).set({ credentialHash: 'x' }).where(hub()),
    "a device's place": () => moveDevice({ unitId: fleet.here.unitId }),
    "a device's EUI": () => db.update(devices).set({ deviceEui: 'ffffffffffffffff' }).where(device()),
    'a device that is deleted': () => db.delete(devices).where(device()),
    'a new network server': () =>
      db.insert(networkServers).values({ organizationId: fleet.organizationId, key: 'chirpstack-1' }),
    'an operator secret': () =>
      db.insert(operatorCredentials).values({ organizationId: fleet.organizationId, credentialHash: 'x' }),
  }

  const still: Record<string, () => Promise<unknown>> = {
    'a hub that is seen': () =>
      db
        .update(hubs)
        .set({ lastSeenAt: deletedAt, isOnline: true, queuedMessages: 3, firmwareVersion: '2' })
        .where(hub()),
    'a device that is seen': () =>
      db
        .update(devices)
        .set({ lastSeenAt: deletedAt, battery: 9, signalStrength: -90, status: 'error' })
        .where(device()),
    'a unit with a new reading': () =>
      db
        .update(units)
        .set({ status: 'ok', lastReadingAt: deletedAt, lastTemperature: 4.4 })
        .where(eq(units.id, fleet.here.unitId)),
  }

  it.each(Object.keys(bumps))('grows with %s', async (name) => {
    expect(await grows(async () => bumps[name]?.())).toBe(true)
  })

  it.each(Object.keys(still))('does not grow with %s', async (name) => {
    expect(await grows(async () => still[name]?.())).toBe(false)
  })
})

describe('updated_at', () => {
  it('is the time of the last change', async () => {
    const read = async () =>
      (await db.select().from(organizations).where(eq(organizations.id, fleet.organizationId)))[0]
    const before = await read()
    expect(before?.updatedAt).toEqual(before?.createdAt)
    await db.execute(sql`SELECT pg_sleep(0.01)`)
    await db.execute(sql`UPDATE organizations SET name = 'New name' WHERE id = ${fleet.organizationId}`)
    const after = await read()
    expect(after?.createdAt).toEqual(before?.createdAt)
    expect(Number(after?.updatedAt)).toBeGreaterThan(Number(before?.updatedAt))
  })
})
