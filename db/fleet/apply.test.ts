import { readFile } from 'node:fs/promises'
import { and, asc, eq, isNull } from 'drizzle-orm'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { verifyAuditChain } from '../audit/verify.ts'
import {
  alertRules,
  alertRulesHistory,
  areas,
  deviceAssignments,
  devices,
  escalationContacts,
  eventLogs,
  hubs,
  loraSensors,
  networkServers,
  organizations,
  registryVersion,
  sites,
  units,
} from '../schema/index.ts'
import { until } from '../testing/poll.ts'
import { changed, exampleFleet } from './testing/example-fleet.ts'
import { type FleetFixture, openFleetFixture, totals } from './testing/fleet-fixture.ts'

const UNIT = 'sites[0].areas[0].units[0]'
const DEVICE = `${UNIT}.devices[0]`

let fixture: FleetFixture

beforeEach(async () => {
  fixture = await openFleetFixture()
})

afterEach(async () => {
  await fixture?.close()
})

const deviceRow = async () => (await fixture.db.select().from(devices))[0]

async function expectIntactChain(entries: number, slug?: string) {
  const report = await verifyAuditChain(fixture.db, await fixture.organizationId(slug))
  expect(report).toMatchObject({ intact: true, entries })
}

describe('the first run', () => {
  it('makes everything that the example names', async () => {
    const report = await fixture.apply(exampleFleet())
    expect(totals(report)).toEqual({ created: 9, updated: 0, revived: 0, removed: 0, unchanged: 0 })
    const { db } = fixture
    const [organization] = await db.select().from(organizations)
    expect(organization).toMatchObject({ slug: 'demo', name: 'Demo Foods', complianceMode: 'standard' })
    const [site] = await db.select().from(sites)
    const [hub] = await db.select().from(hubs)
    expect(hub).toMatchObject({ key: 'hub-berlin-1', siteId: site?.id, heartbeatSeconds: 300 })
    const [unit] = await db.select().from(units)
    expect(unit).toMatchObject({ unitType: 'walk_in_cooler', tempMin: 0, tempMax: 5, status: 'offline' })
    expect(await deviceRow()).toMatchObject({
      deviceEui: '24e124136b502f4a',
      unitId: unit?.id,
      hubId: hub?.id,
      reportingIntervalSeconds: 300,
      credentialHash: null,
    })
    const [contact] = await db.select().from(escalationContacts)
    expect(contact).toMatchObject({ name: 'On call', level: 1, channels: ['email'], siteId: null })
    const [rule] = await db.select().from(alertRules)
    expect(rule).toMatchObject({
      siteId: null,
      unitId: unit?.id,
      alertType: 'alarm_active',
      conditionType: 'temperature_above',
      condition: { limit: 5, for_seconds: 600, hysteresis: 0.5, inclusive: false },
      version: 1,
    })
    const [assignment] = await db.select().from(deviceAssignments)
    expect(assignment).toMatchObject({ siteId: site?.id, unitId: unit?.id, hubId: hub?.id })
    // One entry for each of the nine things, and one for the operators' secret.
    await expectIntactChain(10)
  })

  it('stores the optional fields and the radio side of LoRa sensors', async () => {
    const fleet = JSON.parse(await readFile('simulators/fleets/demo.json', 'utf8'))
    await fixture.apply(fleet)
    const { db } = fixture
    const [server] = await db.select().from(networkServers)
    const [sensor] = await db.select().from(loraSensors).where(eq(loraSensors.devEui, 'a84041c2d1840001'))
    expect(sensor).toMatchObject({
      networkServerId: server?.id,
      joinEui: 'a840410000000101',
      activationType: 'otaa',
      temperatureSource: 'external',
    })
    const [rule] = await db.select().from(alertRules).where(eq(alertRules.preset, 'display-case'))
    expect(rule).toMatchObject({
      name: 'Display case',
      presetVersion: 1,
      schedule: {
        windows: [{ days: ['mon', 'tue', 'wed', 'thu', 'fri', 'sat'], from: '07:00', to: '21:00' }],
      },
    })
    expect(totals(await fixture.apply(fleet))).toMatchObject({ created: 0, updated: 0, unchanged: 52 })
  })
})

describe('a later run', () => {
  it('changes nothing when the file is the same, and says so', async () => {
    await fixture.apply(exampleFleet())
    const before = await Promise.all([fixture.db.select().from(registryVersion), deviceRow()])
    const report = await fixture.apply(exampleFleet())
    expect(totals(report)).toEqual({ created: 0, updated: 0, revived: 0, removed: 0, unchanged: 9 })
    expect(report.text).toContain('Nothing to change')
    expect(await Promise.all([fixture.db.select().from(registryVersion), deviceRow()])).toEqual(before)
    await expectIntactChain(10)
  })

  it('writes only what differs, and records old and new', async () => {
    await fixture.apply(exampleFleet())
    const report = await fixture.apply(
      changed(exampleFleet(), { [`${UNIT}.temp_max`]: 4.5, 'sites[0].hubs[0].heartbeat_seconds': 60 }),
    )
    expect(totals(report)).toMatchObject({ updated: 2, unchanged: 7 })
    const [event] = await fixture.db
      .select()
      .from(eventLogs)
      .where(and(eq(eventLogs.entityType, 'unit'), eq(eventLogs.action, 'updated')))
    expect(event).toMatchObject({
      actor: 'fleet:apply',
      oldValues: { temp_max: 5 },
      newValues: { temp_max: 4.5 },
    })
    await expectIntactChain(12)
  })

  it('gives what the file leaves out its default', async () => {
    await fixture.apply(exampleFleet())
    await fixture.apply(changed(exampleFleet(), { [`${UNIT}.temp_min`]: undefined }))
    expect((await fixture.db.select().from(units))[0]).toMatchObject({ tempMin: null, tempMax: 5 })
  })

  it('moves a device and keeps where it was', async () => {
    await fixture.apply(exampleFleet())
    const cooler = exampleFleet().sites[0]?.areas[0]?.units[0]
    const moved = changed(exampleFleet(), {
      [`${UNIT}.devices`]: [],
      'sites[0].hubs[1]': { key: 'hub-berlin-2' },
      'sites[0].areas[0].units[1]': {
        name: 'Freezer',
        unit_type: 'freezer',
        devices: [{ ...cooler?.devices[0], hub: 'hub-berlin-2' }],
      },
    })
    const report = await fixture.apply(moved)
    expect(report.counts.device).toMatchObject({ created: 0, updated: 1 })
    const [freezer] = await fixture.db.select().from(units).where(eq(units.name, 'Freezer'))
    const periods = await fixture.db
      .select()
      .from(deviceAssignments)
      .orderBy(asc(deviceAssignments.validFrom))
    expect(periods).toHaveLength(2)
    expect(periods[1]).toMatchObject({ unitId: freezer?.id, hubId: (await deviceRow())?.hubId })
    expect(periods[0]?.validTo).toEqual(periods[1]?.validFrom)
  })

  it('counts up the version of a changed rule and keeps its history', async () => {
    await fixture.apply(exampleFleet())
    await fixture.apply(changed(exampleFleet(), { 'alert_rules[0].condition.limit': 6 }))
    await fixture.apply(changed(exampleFleet(), { alert_rules: [] }), { prune: true })
    await fixture.apply(exampleFleet())
    const [rule] = await fixture.db.select().from(alertRules)
    expect(rule).toMatchObject({ version: 4, enabled: true, deletedAt: null, condition: { limit: 5 } })
    const history = await fixture.db.select().from(alertRulesHistory).orderBy(asc(alertRulesHistory.version))
    expect(history.map(({ version, reason }) => [version, reason])).toEqual(
      [1, 2, 3, 4].map((version) => [version, 'fleet:apply']),
    )
    expect(history[1]).toMatchObject({
      oldValues: { condition: { limit: 5 }, condition_type: 'temperature_above' },
      newValues: { condition: { limit: 6 }, condition_type: 'temperature_above' },
    })
    expect(history.map(({ oldValues }) => oldValues === null)).toEqual([true, false, false, false])
    expect(history.map(({ newValues }) => newValues === null)).toEqual([false, false, true, false])
  })
})

describe('what the file no longer names', () => {
  const small = changed(exampleFleet(), {
    'sites[0].hubs': [],
    'sites[0].areas': [],
    network_servers: [],
    contacts: [],
    alert_rules: [],
  })

  it('stays without --prune', async () => {
    await fixture.apply(exampleFleet())
    expect(totals(await fixture.apply(small))).toMatchObject({ removed: 0, unchanged: 2 })
    expect((await deviceRow())?.deletedAt).toBeNull()
  })

  it('is soft-deleted with --prune, loses its secret, and comes back with the next file', async () => {
    await fixture.apply(exampleFleet())
    const { hubs: secretsBefore } = await fixture.credentials()
    const report = await fixture.apply(small, { prune: true })
    expect(totals(report)).toMatchObject({ removed: 7, unchanged: 2 })
    expect(report.revokedSecrets.toSorted()).toEqual(['hub-berlin-1', 'ns:chirpstack-1'])
    const { db } = fixture
    for (const table of [hubs, areas, units, devices, networkServers, escalationContacts, alertRules]) {
      expect(await db.select().from(table).where(isNull(table.deletedAt))).toEqual([])
    }
    expect((await db.select().from(hubs))[0]?.credentialHash).toBeNull()
    expect((await db.select().from(alertRules))[0]).toMatchObject({ enabled: false, version: 2 })
    expect((await fixture.credentials()).hubs).toEqual({})

    const id = (await deviceRow())?.id
    const back = await fixture.apply(exampleFleet())
    expect(totals(back)).toMatchObject({ created: 0, revived: 7, unchanged: 2 })
    expect(await deviceRow()).toMatchObject({ id, deletedAt: null })
    const { hubs: secretsAfter } = await fixture.credentials()
    expect(secretsAfter['hub-berlin-1']).not.toBe(secretsBefore['hub-berlin-1'])
    // First 9 + operator, then 7 removed, then 7 revived.
    await expectIntactChain(24)
  })

  it('leaves other organizations alone', async () => {
    await fixture.apply(exampleFleet())
    const other = { organization: { slug: 'other', name: 'Other' } }
    await fixture.apply(other, { prune: true, credentialsPath: `${fixture.credentialsPath}.other` })
    expect((await deviceRow())?.deletedAt).toBeNull()
    await expectIntactChain(2, 'other')
  })
})

describe('a dry run', () => {
  it('says what would be done and does nothing', async () => {
    await fixture.apply(exampleFleet())
    const before = await fixture.db.select().from(eventLogs)
    const report = await fixture.apply(
      changed(exampleFleet(), { [`${DEVICE}.hub`]: undefined, contacts: [] }),
      {
        dryRun: true,
        prune: true,
        rotate: ['operator'],
      },
    )
    expect(report.text).toContain('Nothing was changed')
    expect(report.text).toMatch(/updated device 24e124136b502f4a: hub_id \d+ -> null/)
    expect(report.text).toContain('removed contact On call')
    expect(report.text).toContain('1 new secret for operator:demo would be made')
    expect((await deviceRow())?.hubId).not.toBeNull()
    expect(await fixture.db.select().from(eventLogs)).toEqual(before)
  })

  it('leaves no trace of a new organization', async () => {
    expect(totals(await fixture.apply(exampleFleet(), { dryRun: true }))).toMatchObject({ created: 9 })
    expect(await fixture.db.select().from(organizations)).toEqual([])
    await expect(fixture.credentials()).rejects.toThrow('ENOENT')
  })
})

describe('many things at once', () => {
  it('applies a few thousand devices, and then only the changed ones', async () => {
    const big = bigFleet({ sites: 30, devicesPerSite: 100 })
    const first = await fixture.apply(big)
    expect(first.counts.device).toMatchObject({ created: 3_000 })
    expect(first.counts.unit).toMatchObject({ created: 1_500 })
    const again = await fixture.apply(changed(big, { 'sites[7].areas[0].units[3].devices[1].name': 'New' }))
    expect(totals(again)).toMatchObject({ created: 0, updated: 1, removed: 0 })
    await expectIntactChain(totals(first).created + 1 + 1, 'big')
  })

  it('keeps one chain and one row each when two apply the same file at once', async () => {
    const runs = Array.from({ length: 2 }, () => fixture.apply(exampleFleet()))
    const results = (await Promise.all(runs)).map(totals)
    expect(results.map(({ created }) => created).toSorted()).toEqual([0, 9])
    expect(await fixture.db.select().from(devices)).toHaveLength(1)
    await expectIntactChain(10)
  })

  it('makes a sensor what the file says that ingest hears for the first time at the same moment', async () => {
    await fixture.apply(exampleFleet())
    const ingest = await fixture.db.$client.connect()
    await ingest.query('BEGIN')
    await ingest.query(
      'INSERT INTO lora_sensors (organization_id, device_id, dev_eui) SELECT organization_id, id, device_eui FROM devices',
    )
    const applied = fixture.apply(
      changed(exampleFleet(), { [`${DEVICE}.lora`]: { temperature_source: 'external' } }),
    )
    await until('it waits for the row', async () => {
      const { rowCount } = await fixture.db.$client.query(
        `SELECT FROM pg_stat_activity
         WHERE datname = current_database() AND wait_event = 'transactionid' AND query ILIKE 'insert into%lora_sensors%'`,
      )
      return rowCount === 1
    })
    await ingest.query('UPDATE lora_sensors SET last_f_cnt = 7; COMMIT')
    ingest.release()
    expect(totals(await applied)).toMatchObject({ created: 1, updated: 0 })
    const sensors = await fixture.db.select().from(loraSensors)
    expect(sensors).toMatchObject([{ temperatureSource: 'external', lastFCnt: 7, deletedAt: null }])
    // The ten of the first run, and the sensor's.
    await expectIntactChain(11)
  })

  it('keeps every secret when two organizations share a credentials file at once', async () => {
    const other = {
      organization: { slug: 'other', name: 'Other' },
      sites: [{ name: 'Far away', hubs: [{ key: 'hub-other' }] }],
    }
    await Promise.all([fixture.apply(exampleFleet()), fixture.apply(other)])
    expect(Object.keys((await fixture.credentials()).hubs).toSorted()).toEqual(['hub-berlin-1', 'hub-other'])
  })
})

function bigFleet(size: { sites: number; devicesPerSite: number }) {
  const device = (site: number, number: number) => ({
    device_eui: (0xa840_0000_0000n + BigInt(site * 65_536 + number)).toString(16).padStart(16, '0'),
    hub: `hub-${site}`,
    device_type: number % 2 === 0 ? 'temperature' : 'door',
  })
  const sitesOf = (site: number) => ({
    name: `Site ${site}`,
    hubs: [{ key: `hub-${site}` }],
    areas: [
      {
        name: 'All',
        units: Array.from({ length: size.devicesPerSite / 2 }, (_, unit) => ({
          name: `Unit ${unit}`,
          unit_type: 'fridge',
          devices: [device(site, unit * 2), device(site, unit * 2 + 1)],
        })),
      },
    ],
  })
  return {
    organization: { slug: 'big', name: 'Big' },
    sites: Array.from({ length: size.sites }, (_, site) => sitesOf(site)),
  }
}
