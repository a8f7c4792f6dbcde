/** docs/lorawan.md: what FrostGuard reads from the brokers of others. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import mqtt, { type MqttClient } from 'mqtt'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createAuthority, createCertificate } from '../broker/testing-certificates.ts'
import { publishRoute } from '../broker/topics.ts'
import { freePort } from '../db/embedded/ports.ts'
import { findOrganization } from '../db/replay/organization.ts'
import { until } from '../db/testing/poll.ts'
import { makeTestFolder, removeTestFolder } from '../db/testing/test-folder.ts'
import { replayRejected } from '../ingest/replay/replay.ts'
import type { ReplayTally } from '../ingest/replay/tally.ts'
import { MOSQUITTO_MISSING, type Mosquitto, startMosquitto } from '../ingest/sources/testing/mosquitto.ts'
import { publish, runProgram } from './testing/clients.ts'
import {
  acmeFleet,
  NETWORK_SERVER,
  NORTH_HUB,
  northDevice,
  rivalFleet,
  SELF_DEVICE,
  UNKNOWN_DEVICE,
} from './testing/fleet.ts'
import { runMain } from './testing/process.ts'
import { readingsOf, rejectsOf, type StoredReject } from './testing/rows.ts'
import { startTestService, type TestService } from './testing/service.ts'
import { readReadyz } from './testing/status-page.ts'
import { nextTime } from './testing/times.ts'

describe.skipIf(MOSQUITTO_MISSING)(
  `from Mosquitto${MOSQUITTO_MISSING ? `: ${MOSQUITTO_MISSING}` : ''}`,
  () => {
    let mosquitto: Mosquitto
    let service: TestService
    let client: MqttClient
    let folder: string

    beforeAll(async () => {
      folder = await makeTestFolder()
      mosquitto = await startMosquitto()
      const { url } = mosquitto
      const lora = { url, network_server: NETWORK_SERVER }
      const sources = [
        { key: 'own-topics', kind: 'frostguard', url },
        { key: 'chirpstack', kind: 'chirpstack', ...lora },
        { key: 'things-stack', kind: 'the-things-stack', username: 'app@ttn', ...lora },
        {
          key: 'wide',
          kind: 'chirpstack',
          topics: ['application/#'],
          ...lora,
          network_server: 'not-in-the-fleet',
        },
      ]
      const path = join(folder, 'sources.json')
      await writeFile(path, JSON.stringify({ sources }))
      service = await startTestService({ env: { INGEST_SOURCES_FILE: path } })
      client = await mqtt.connectAsync(url)
      for (const { key } of sources.slice(0, 3))
        await until(`${key} is connected`, async () => (await metric('connected', key)) === 1)
    })
    afterAll(async () => {
      await client?.endAsync()
      await service?.close()
      await mosquitto?.remove()
      await removeTestFolder(folder)
    })

    const metric = (name: string, source: string) =>
      service.metric(`frostguard_source_${name}{source="${source}"}`)

    async function replay(username?: string, slug?: string): Promise<ReplayTally> {
      const pool = service.db.$client
      const organizationId = slug === undefined ? undefined : await findOrganization(pool, slug)
      return replayRejected({
        pool,
        routeOf: publishRoute,
        filter: { client: username, organizationId },
        limit: 100,
        dryRun: false,
        statementTimeoutMs: 30_000,
      })
    }

    /** Publishes as a hub that may not be in the fleet, until it is acknowledged; returns what is rejected of it. */
    function rejectedOf(hub: string, payload: string): Promise<StoredReject[]> {
      return rejectsOf(service, async () => {
        const before = await metric('messages_acknowledged_total', 'own-topics')
        await publish(client, `v1/hubs/${hub}/readings`, payload)
        await until(
          'it is acknowledged',
          async () => (await metric('messages_acknowledged_total', 'own-topics')) > before,
        )
      })
    }

    async function stored(devEui: string, atMs: number) {
      const found = async () => (await readingsOf(service, devEui)).find((reading) => reading.atMs === atMs)
      await until('the reading is stored', async () => (await found()) !== undefined)
      return found()
    }

    function chirpStackUp(devEui: string, atMs: number) {
      return publish(client, `application/a/device/${devEui}/event/up`, {
        time: new Date(atMs).toISOString(),
        deviceInfo: { devEui },
        devAddr: '01020304',
        fPort: 2,
        data: Buffer.from(String(atMs)).toString('base64'),
        object: { temperature: 4.2 },
      })
    }

    test('a hub, by the topic it publishes to there', async () => {
      const at = nextTime()
      await publish(client, `v1/hubs/${NORTH_HUB}/readings`, { device: northDevice(1), at, temperature: 3.5 })
      expect(await stored(northDevice(1), at)).toMatchObject({
        temperature: 3.5,
        source: 'hub',
        unit: 'Cooler',
      })
    })

    test('a device with a network of its own', async () => {
      const at = nextTime()
      await publish(client, `v1/devices/${SELF_DEVICE}/readings`, { at, temperature: 3.5 })
      expect(await stored(SELF_DEVICE, at)).toMatchObject({ temperature: 3.5, source: 'device' })
    })

    test('an uplink of ChirpStack', async () => {
      const at = nextTime()
      await chirpStackUp(northDevice(2), at)
      expect(await stored(northDevice(2), at)).toMatchObject({
        temperature: 4.2,
        source: 'network',
        unit: 'Cooler',
      })
    })

    test('an uplink of The Things Stack', async () => {
      const at = nextTime()
      const received_at = new Date(at).toISOString()
      await publish(client, 'v3/app@ttn/devices/dev-1/up', {
        end_device_ids: { device_id: 'dev-1', dev_eui: northDevice(3).toUpperCase(), dev_addr: '01020304' },
        received_at,
        uplink_message: {
          f_port: 2,
          frm_payload: 'AQI=',
          decoded_payload: { temperature: -18.5 },
          received_at,
        },
      })
      expect(await stored(northDevice(3), at)).toMatchObject({ temperature: -18.5, source: 'network' })
    })

    test('a sensor that is not in the fleet is set aside under its network server', async () => {
      const rejects = await rejectsOf(service, async () => {
        const before = await metric('messages_acknowledged_total', 'chirpstack')
        await chirpStackUp(UNKNOWN_DEVICE, nextTime())
        await until(
          'it is acknowledged',
          async () => (await metric('messages_acknowledged_total', 'chirpstack')) > before,
        )
      })
      expect(rejects).toMatchObject([{ reason: 'unknown_device', client: `ns:${NETWORK_SERVER}` }])
    })

    test('a hub that is not in the fleet is set aside too, with its bytes; added and replayed, it is stored', async () => {
      const at = nextTime()
      const payload = JSON.stringify({ device: northDevice(4), at, temperature: 4 })
      const rejects = await rejectedOf('hub-nowhere', payload)
      expect(rejects).toMatchObject([
        { reason: 'unknown_device', client: 'hub-nowhere', payload: Buffer.from(payload) },
      ])
      expect(await replay('hub-nowhere', 'acme')).toMatchObject({ lookedAt: 0 })
      expect(await replay('hub-nowhere')).toMatchObject({ readings: 0, notReplayable: { no_log_in: 1 } })

      const fleet = acmeFleet()
      fleet.sites[0]?.hubs.push({ key: 'hub-nowhere' })
      await service.applyFleet(fleet)
      expect(await replay('hub-nowhere', 'rival')).toMatchObject({ lookedAt: 0 })
      // Whose the key was when the message came, nobody knows: a person has to say so.
      expect(await replay()).toMatchObject({ readings: 0, notReplayable: { unnamed: 1 } })
      expect(await replay(undefined, 'acme')).toMatchObject({ readings: 0, notReplayable: {} })
      expect(await replay('hub-nowhere', 'acme')).toMatchObject({ readings: 1, stillRejected: {} })
      expect(await stored(northDevice(4), at)).toMatchObject({ temperature: 4, source: 'hub' })
    })

    test("what a hub said before another organization got it is only that organization's where its devices are", async () => {
      const payload = JSON.stringify({ device: northDevice(5), at: nextTime(), temperature: 4 })
      await rejectedOf('hub-of-others', payload)
      const fleet = rivalFleet()
      fleet.sites[0]?.hubs.push({ key: 'hub-of-others' })
      await service.applyFleet(fleet)
      expect(await replay('hub-of-others')).toMatchObject({
        readings: 0,
        stillRejected: { unknown_device: 1 },
      })
      expect(await readingsOf(service, northDevice(5))).toEqual([])
    })

    test('a source whose network server is not in the fleet is named by /readyz, which lets hubs in all the same, and reads when it is', async () => {
      expect(await readReadyz(service)).toMatch(
        /^200 ready\n.*source "wide" away for \d+ s: the fleet has no network server "not-in-the-fleet"/s,
      )
      await service.query(
        `INSERT INTO pipeline.network_servers (organization_id, key, credential_hash)
       SELECT organization_id, 'not-in-the-fleet', credential_hash FROM pipeline.network_servers WHERE key = $1`,
        [NETWORK_SERVER],
      )
      await until('it is ready', async () => (await readReadyz(service)) === '200 ready\n')
      const ignored = 'frostguard_source_messages_ignored_total{source="wide",reason="topic"}'
      await publish(client, 'application/a/integration/x', '{}')
      await until('it is counted', async () => (await service.metric(ignored)) === 1)
    })

    test('the books balance, and what was read counts as received', async () => {
      expect(await service.metric('frostguard_readings_imbalance')).toBe(0)
      expect(await service.metric('frostguard_messages_received_total')).toBeGreaterThanOrEqual(6)
      expect(await service.metric('frostguard_sources_held_bytes')).toBe(0)
    })
  },
)

describe.skipIf(MOSQUITTO_MISSING)(
  `over TLS, with a password${MOSQUITTO_MISSING ? `: ${MOSQUITTO_MISSING}` : ''}`,
  () => {
    let mosquitto: Mosquitto
    let service: TestService
    let folder: string

    const write = async (name: string, text: string) => {
      await writeFile(join(folder, name), text)
      return join(folder, name)
    }

    beforeAll(async () => {
      folder = await makeTestFolder()
      const authority = createAuthority('test authority')
      const { key, cert } = createCertificate('localhost', authority)
      const port = await freePort()
      const users = await write('users', '')
      await runProgram('mosquitto_passwd', ['-b', users, 'reader', 'right'])
      mosquitto = await startMosquitto([
        `password_file ${users}`,
        `listener ${port} 127.0.0.1`,
        `certfile ${await write('cert.pem', cert)}`,
        `keyfile ${await write('key.pem', key)}`,
      ])
      await write('authority.pem', authority.cert)
      await write('right', 'right\n')
      const source = { kind: 'frostguard', url: `mqtts://localhost:${port}`, username: 'reader' }
      const sources = [
        { ...source, key: 'right', tls_ca: 'authority.pem', password_file: 'right' },
        { ...source, key: 'wrong-password', tls_ca: 'authority.pem', password: 'wrong' },
        { ...source, key: 'stranger', password_file: 'right' },
      ]
      const path = await write('sources.json', JSON.stringify({ sources }))
      service = await startTestService({ env: { INGEST_SOURCES_FILE: path } })
    })
    afterAll(async () => {
      await service?.close()
      await mosquitto?.remove()
      await removeTestFolder(folder)
    })

    test('a broker of an authority that is named is read; others are named by /readyz with the reason', async () => {
      let said = ''
      await until('it is said of all', async () => {
        said = await readReadyz(service)
        return !said.includes('it has not connected yet')
      })
      expect(said).not.toContain('"right"')
      expect(said).toMatch(/source "wrong-password" away for \d+ s: Connection refused: Not authorized/)
      expect(said).toMatch(/source "stranger" away for \d+ s: .*certificate/)
      expect(await service.metric('frostguard_sources_away')).toBe(2)
    })
  },
)

test('a file of sources that is wrong stops the start with a sentence', async () => {
  const { code, stderr } = await runMain({ INGEST_SOURCES_FILE: '/nowhere/sources.json' })
  expect(code).toBe(1)
  expect(stderr).toContain('INGEST_SOURCES_FILE="/nowhere/sources.json": it cannot be read')
})
