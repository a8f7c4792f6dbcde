/** docs/protocol.md, "Provisioning", and what it promises to the hubs that are connected. */
import { readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { MqttClient } from 'mqtt'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { closeAll, connectClient } from '../broker/testing.ts'
import { until } from '../db/testing/poll.ts'
import { makeTestFolder, removeTestFolder } from '../db/testing/test-folder.ts'
import { publish, returnCodeOf, untilClosed } from './testing/clients.ts'
import {
  acmeFleet,
  device,
  type FleetFile,
  NETWORK_SERVER,
  NORTH_HUB,
  NORTH_HUB_2,
  northDevice,
  SELF_DEVICE,
  SOUTH_HUB,
  unitOf,
} from './testing/fleet.ts'
import { runFleetApply } from './testing/process.ts'
import { readingsOf, rejectsOf } from './testing/rows.ts'
import { startTestService, type TestService } from './testing/service.ts'
import { nextTime } from './testing/times.ts'

const NORTH_READINGS = `v1/hubs/${NORTH_HUB}/readings`

let service: TestService

beforeAll(async () => {
  service = await startTestService()
})
afterEach(closeAll)
afterAll(() => service.close())

const live = (fleet: FleetFile) => service.applyFleet(fleet, { prune: true })

describe('npm run fleet:apply -- fleet.json [--credentials out.json]', () => {
  let folder: string
  let fleetPath: string
  let credentialsPath: string
  let example: Record<string, unknown>

  beforeAll(async () => {
    folder = await makeTestFolder()
    fleetPath = join(folder, 'fleet.json')
    credentialsPath = join(folder, 'out.json')
    example = await documentedFleet()
  })
  afterAll(() => removeTestFolder(folder))

  async function apply(...args: string[]) {
    return runFleetApply([fleetPath, '--credentials', credentialsPath, ...args], {
      DATABASE_URL: service.url,
    })
  }
  const credentials = async () => JSON.parse(await readFile(credentialsPath, 'utf8'))
  const hubKeys = () =>
    service.query<{ key: string; gone: boolean }>(
      `SELECT h.key, h.deleted_at IS NOT NULL AS gone FROM public.hubs h
       JOIN public.organizations o ON o.id = h.organization_id WHERE o.slug = 'demo' ORDER BY h.key`,
    )
  const write = (fleet: unknown) => writeFile(fleetPath, JSON.stringify(fleet))

  test('--dry-run changes nothing', async () => {
    await write(example)
    const result = await apply('--dry-run')
    expect(result).toMatchObject({ code: 0, stderr: '' })
    expect(await hubKeys()).toEqual([])
    await expect(stat(credentialsPath)).rejects.toThrow('ENOENT')
  })

  test('the whole file is checked first: one that is wrong changes nothing and says where', async () => {
    const bad = structuredClone(example) as { sites: { hubs: { key: string }[] }[] }
    bad.sites[0]?.hubs.push({ key: 'Not A Key' })
    await write(bad)
    const result = await apply()
    expect(result.code).not.toBe(0)
    expect(result.stderr).toContain('sites[0].hubs[1].key')
    expect(result.stderr).toContain('Not A Key')
    expect(await hubKeys()).toEqual([])
  })

  test('the documented file: prints a summary, and the hub may connect as soon as it has returned', async () => {
    await write(example)
    const result = await apply()
    expect(result).toMatchObject({ code: 0, stderr: '' })
    expect(result.stdout).toContain('demo')
    const secret = (await credentials()).hubs['hub-berlin-1']
    const hub = await connectClient(service.mqttPort, { username: 'hub-berlin-1', password: secret })
    await publish(hub, 'v1/hubs/hub-berlin-1/readings', { device: '24e124136b502f4a', temperature: 3 })
    expect(await readingsOf(service, '24e124136b502f4a')).toMatchObject([{ unit: 'Walk-in cooler' }])
  })

  test('new secrets are in the credentials file, mode 0600, and stored only as a scrypt hash', async () => {
    expect(await credentials()).toEqual({
      hubs: { 'hub-berlin-1': expect.any(String) },
      devices: {},
      network_servers: { 'chirpstack-1b': expect.any(String) },
      operator: expect.any(String),
    })
    expect((await stat(credentialsPath)).mode & 0o777).toBe(0o600)
    const hashes = await service.query<{ hash: string }>(
      `SELECT credential_hash AS hash FROM public.hubs WHERE key = 'hub-berlin-1'
       UNION ALL SELECT credential_hash FROM pipeline.network_servers WHERE key = 'chirpstack-1b'
       UNION ALL SELECT c.credential_hash FROM pipeline.operator_credentials c
         JOIN public.organizations o ON o.id = c.organization_id WHERE o.slug = 'demo'`,
    )
    expect(hashes).toHaveLength(3)
    for (const { hash } of hashes) expect(hash).toMatch(/^scrypt\$/)
  })

  test('applied again it changes nothing, and the secrets stay', async () => {
    const before = await credentials()
    expect(await apply()).toMatchObject({ code: 0, stderr: '' })
    expect(await credentials()).toEqual(before)
    expect(await hubKeys()).toEqual([{ key: 'hub-berlin-1', gone: false }])
  })

  test('new secrets are merged with those in the file', async () => {
    const before = await credentials()
    const more = structuredClone(example) as { sites: { hubs: { key: string }[] }[] }
    more.sites[0]?.hubs.push({ key: 'hub-berlin-2' })
    await write(more)
    expect(await apply()).toMatchObject({ code: 0 })
    const { 'hub-berlin-2': added, ...hubs } = (await credentials()).hubs
    expect(hubs).toEqual(before.hubs)
    expect(added).toEqual(expect.any(String))
  })

  test('--rotate hub-key: the old secret is refused, the new one is accepted', async () => {
    const before = (await credentials()).hubs['hub-berlin-1']
    expect(await apply('--rotate', 'hub-berlin-1')).toMatchObject({ code: 0 })
    const after = (await credentials()).hubs['hub-berlin-1']
    expect(after).not.toBe(before)
    for (const [secret, returnCode] of [
      [before, 4],
      [after, 0],
    ]) {
      const fields = { username: 'hub-berlin-1', password: Buffer.from(secret) }
      expect((await returnCodeOf(service, fields)).returnCode).toBe(returnCode)
    }
  })

  test('it removes nothing without --prune; with it, a soft delete', async () => {
    await write(example)
    await apply()
    expect(await hubKeys()).toContainEqual({ key: 'hub-berlin-2', gone: false })
    expect(await apply('--prune')).toMatchObject({ code: 0 })
    expect(await hubKeys()).toContainEqual({ key: 'hub-berlin-2', gone: true })
  })
})

describe('a hub may connect as soon as fleet:apply has returned', () => {
  test('a new hub', async () => {
    const fleet = acmeFleet()
    fleet.sites[0]?.hubs.push({ key: 'hub-new' })
    await live(fleet)
    const hub = await service.connect('hub-new')
    await publish(hub, 'v1/hubs/hub-new/readings', { device: northDevice(0), at: nextTime(), temperature: 1 })
    expect(await readingsOf(service, northDevice(0))).toHaveLength(1)
  })

  test('a hub that was refused before, and one that was removed and comes back', async () => {
    const fleet = acmeFleet()
    const fields = { username: 'hub-later', password: Buffer.from('guess') }
    expect((await returnCodeOf(service, fields)).returnCode).toBe(4)
    fleet.sites[0]?.hubs.push({ key: 'hub-later' })
    await live(fleet)
    await service.connect('hub-later')
    await live(acmeFleet())
    await live(fleet)
    await service.connect('hub-later')
  })
})

describe('a revoked one is disconnected within seconds', () => {
  async function connections(): Promise<{ kept: MqttClient; revoked: MqttClient[] }> {
    const usernames = [NORTH_HUB_2, `device:${SELF_DEVICE}`, `ns:${NETWORK_SERVER}`]
    return {
      kept: await service.connect(NORTH_HUB),
      revoked: await Promise.all(usernames.map((username) => service.connect(username))),
    }
  }
  /** Without its second hub, its device with a network of its own and its network server. */
  function smaller(): FleetFile {
    const { network_servers: _, ...fleet } = acmeFleet()
    const north = fleet.sites[0]
    if (north) north.hubs = north.hubs.filter(({ key }) => key !== NORTH_HUB_2)
    const cooler = unitOf(fleet, 'Cooler')
    cooler.devices = cooler.devices.filter(({ device_eui }) => device_eui !== SELF_DEVICE)
    return fleet
  }
  afterEach(() => live(acmeFleet()))

  test('removed with --prune: hub, device and network server; the others stay', async () => {
    const { kept, revoked } = await connections()
    const secret = Buffer.from(service.secretOf(NORTH_HUB_2))
    await live(smaller())
    expect((await returnCodeOf(service, { username: NORTH_HUB_2, password: secret })).returnCode).toBe(4)
    for (const client of revoked) await untilClosed(client)
    await publish(kept, NORTH_READINGS, { device: northDevice(1), at: nextTime(), temperature: 1 })
    expect(kept.connected).toBe(true)
  })

  test('with a new secret, also an operator', async () => {
    const { kept, revoked } = await connections()
    const operator = await service.connect('operator:acme')
    const rotate = [NORTH_HUB_2, `device:${SELF_DEVICE}`, `ns:${NETWORK_SERVER}`, 'operator']
    await service.applyFleet(acmeFleet(), { rotate })
    for (const client of [...revoked, operator]) await untilClosed(client)
    expect(kept.connected).toBe(true)
    await service.connect(NORTH_HUB_2)
    await service.connect('operator:acme')
  })
})

describe('devices', () => {
  let hub: MqttClient
  let south: MqttClient

  beforeEach(async () => {
    await live(acmeFleet())
    hub = await service.connect(NORTH_HUB)
    south = await service.connect(SOUTH_HUB)
  })

  const reading = (devEui: string, at = nextTime()) => ({ device: devEui, at, temperature: 4 })

  /** The fleet with devices of the Cooler moved to another unit. */
  function moved(unit: string, ...devEuis: string[]): FleetFile {
    const fleet = acmeFleet()
    const cooler = unitOf(fleet, 'Cooler')
    cooler.devices = cooler.devices.filter(({ device_eui }) => !devEuis.includes(device_eui))
    const movedDevices = devEuis.map((devEui) => device(devEui, unit === 'Display' ? SOUTH_HUB : NORTH_HUB))
    unitOf(fleet, unit).devices.push(...movedDevices)
    return fleet
  }

  test('a new device is accepted at once, also after it had been rejected before', async () => {
    const added = '24e124136b50abcd'
    const rejects = await rejectsOf(service, () => publish(hub, NORTH_READINGS, reading(added)))
    expect(rejects).toMatchObject([{ reason: 'unknown_device', device: added }])
    const fleet = acmeFleet()
    unitOf(fleet, 'Cooler').devices.push(device(added, NORTH_HUB))
    await live(fleet)
    await publish(hub, NORTH_READINGS, reading(added))
    expect(await readingsOf(service, added)).toHaveLength(1)
  })

  test('a removed device becomes unknown_device', async () => {
    const fleet = acmeFleet()
    unitOf(fleet, 'Cooler').devices.splice(2, 1)
    await live(fleet)
    await until('its readings are rejected', async () => {
      const rejects = await rejectsOf(service, () => publish(hub, NORTH_READINGS, reading(northDevice(2))))
      return rejects[0]?.reason === 'unknown_device'
    })
  })

  test("a moved device's backfill lands in the unit where it was measured", async () => {
    const devEui = northDevice(3)
    const before = nextTime()
    await live(moved('Freezer', devEui))
    await until('new readings land in the new unit', async () => {
      await publish(hub, NORTH_READINGS, reading(devEui, Date.now()))
      return (await readingsOf(service, devEui)).at(-1)?.unit === 'Freezer'
    })
    await publish(hub, NORTH_READINGS, reading(devEui, before))
    expect((await readingsOf(service, devEui))[0]).toMatchObject({ atMs: before, unit: 'Cooler' })
  })

  test('after a move to another site the hub of that site speaks for it at once', async () => {
    const devEui = northDevice(4)
    await live(moved('Display', devEui))
    await publish(south, `v1/hubs/${SOUTH_HUB}/readings`, reading(devEui, Date.now()))
    expect(await readingsOf(service, devEui)).toMatchObject([{ unit: 'Display' }])
    const rejects = await rejectsOf(service, () => publish(hub, NORTH_READINGS, reading(devEui, Date.now())))
    expect(rejects).toMatchObject([{ reason: 'not_your_device', device: devEui }])
  })

  test('what the hub of its old site measured before the move is still stored there', async () => {
    const devEui = northDevice(5)
    const before = nextTime()
    await live(moved('Display', devEui))
    await until('the move is known', async () => {
      const rejects = await rejectsOf(service, () =>
        publish(hub, NORTH_READINGS, reading(devEui, Date.now())),
      )
      return rejects.length === 1
    })
    await publish(hub, NORTH_READINGS, reading(devEui, before))
    expect((await readingsOf(service, devEui))[0]).toMatchObject({ atMs: before, unit: 'Cooler' })
  })
})

/** The fleet file of docs/protocol.md; its network server's key is that of another organization here. */
async function documentedFleet(): Promise<Record<string, unknown>> {
  const protocol = await readFile(new URL('../docs/protocol.md', import.meta.url), 'utf8')
  const block = /## Provisioning[\s\S]*?```json\n([\s\S]*?)```/.exec(protocol)?.[1]
  if (block === undefined) throw new Error('docs/protocol.md has no fleet file')
  return JSON.parse(block.replace('chirpstack-1', 'chirpstack-1b'))
}
