/** docs/lorawan.md: its setups, as they are printed; only addresses, paths and secrets are the test's own. */
import { readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import mqtt, { type MqttClient } from 'mqtt'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { freePort } from '../db/embedded/ports.ts'
import { until } from '../db/testing/poll.ts'
import { makeTestFolder, removeTestFolder } from '../db/testing/test-folder.ts'
import { readSources } from '../ingest/sources/source-file.ts'
import {
  MOSQUITTO_MISSING,
  MOSQUITTO_SETTINGS,
  type Mosquitto,
  startMosquitto,
} from '../ingest/sources/testing/mosquitto.ts'
import { publish, runProgram } from './testing/clients.ts'
import { NETWORK_SERVER, NORTH_HUB, NORTH_HUB_2, northDevice } from './testing/fleet.ts'
import { readingsOf } from './testing/rows.ts'
import { startTestService, type TestService } from './testing/service.ts'
import { nextTime } from './testing/times.ts'

const PAGE = readFileSync(new URL('../docs/lorawan.md', import.meta.url), 'utf8')
const PASSWORD = 'right'

/** The fenced blocks below a heading, without their indentation, by their language (`` for none). */
function blocksOf(heading: string): { language: string; text: string }[] {
  const section = PAGE.split(/^## /m).find((text) => text.startsWith(`${heading}\n`)) ?? ''
  const blocks = section.matchAll(/^( *)```(\w*)\n([\s\S]*?)^ *```$/gm)
  return Array.from(blocks, ([, indent = '', language = '', text = '']) => ({
    language,
    text: text.replaceAll(new RegExp(`^${indent}`, 'gm'), ''),
  }))
}

function blockOf(heading: string, word: string): string {
  const found = blocksOf(heading).find(({ text }) => text.includes(word))
  if (!found) throw new Error(`docs/lorawan.md has no block with "${word}" below "${heading}"`)
  return found.text
}

let folder: string
let mosquitto: Mosquitto | undefined
let service: TestService | undefined
let clients: MqttClient[]

beforeEach(async () => {
  folder = await makeTestFolder()
  clients = []
})
afterEach(async () => {
  for (const client of clients) await client.endAsync(true)
  await service?.close()
  await mosquitto?.remove()
  service = undefined
  mosquitto = undefined
  await removeTestFolder(folder)
})

/** A Mosquitto with these users, the access rules of the page and `extra` lines. */
async function startWith(
  users: readonly string[],
  acl: string,
  extra: readonly string[] = [],
): Promise<Mosquitto> {
  const [passwords, rules] = [join(folder, 'passwd'), join(folder, 'acl')]
  for (const [index, user] of users.entries())
    await runProgram('mosquitto_passwd', ['-b', ...(index === 0 ? ['-c'] : []), passwords, user, PASSWORD])
  await writeFile(rules, acl)
  mosquitto = await startMosquitto([`password_file ${passwords}`, `acl_file ${rules}`, ...extra])
  return mosquitto
}

async function sourcesFile(block: string, url: string): Promise<Record<string, string>> {
  const { sources } = JSON.parse(block) as { sources: { password_file: string }[] }
  const path = join(folder, 'sources.json')
  for (const { password_file } of sources) await writeFile(join(folder, password_file), PASSWORD)
  await writeFile(path, JSON.stringify({ sources: sources.map((source) => ({ ...source, url })) }))
  return { INGEST_SOURCES_FILE: path }
}

async function connectAs(username: string): Promise<MqttClient> {
  const client = await mqtt.connectAsync(mosquitto?.url ?? '', { username, password: PASSWORD })
  clients.push(client)
  return client
}

function up(client: MqttClient, devEui: string, atMs: number): Promise<void> {
  return publish(client, `application/1/device/${devEui}/event/up`, {
    time: new Date(atMs).toISOString(),
    deviceInfo: { devEui },
    devAddr: '01020304',
    fPort: 2,
    data: 'AQI=',
    object: { temperature: 4.2 },
  })
}

async function untilStored(of: TestService, devEui: string, atMs: number): Promise<void> {
  await until('the reading is stored', async () =>
    (await readingsOf(of, devEui)).some((reading) => reading.atMs === atMs),
  )
}

test('each file of sources is read as it stands, and their network servers are named', async () => {
  const blocks = [
    'ChirpStack, read from its broker',
    'The Things Stack, read from its server',
    'Several processes on one broker',
  ]
    .flatMap(blocksOf)
    .filter(({ language }) => language === 'json')
  expect(blocks).toHaveLength(3)
  for (const { text } of blocks) {
    const path = join(folder, 'sources.json')
    await writeFile(path, text)
    for (const { password_file } of JSON.parse(text).sources)
      await writeFile(join(folder, password_file), PASSWORD)
    expect(await readSources(path)).toHaveLength(1)
  }
})

describe.skipIf(MOSQUITTO_MISSING)(
  `with Mosquitto${MOSQUITTO_MISSING ? `: ${MOSQUITTO_MISSING}` : ''}`,
  () => {
    test('ChirpStack, read from its broker: also what came while both were away in turn', async () => {
      const heading = 'ChirpStack, read from its broker'
      expect(blockOf(heading, 'persistence').trim().split('\n')).toEqual(MOSQUITTO_SETTINGS)
      const acl = `user chirpstack\ntopic readwrite application/#\n\n${blockOf(heading, 'topic read')}`
      const { url } = await startWith(['chirpstack', 'frostguard'], acl)
      const env = await sourcesFile(blockOf(heading, '"sources"'), url)
      service = await startTestService({ env })
      const name = 'frostguard_source_connected{source="chirpstack-berlin"}'
      await until('it reads', async () => (await service?.metric(name)) === 1)
      const [first, second] = [nextTime(), nextTime()]
      await up(await connectAs('chirpstack'), northDevice(1), first)
      await untilStored(service, northDevice(1), first)

      await service.stop()
      await up(await connectAs('chirpstack'), northDevice(1), second)
      await mosquitto?.stop()
      await mosquitto?.start()
      await service.start()
      await untilStored(service, northDevice(1), second)
    })

    test('ChirpStack, sent on by its broker: also what came while FrostGuard was away', async () => {
      service = await startTestService({ env: { MQTT_PORT: String(await freePort()) } })
      const bridge = blockOf('ChirpStack, sent on by its broker', 'connection frostguard')
        .replace('frostguard.example:1883', `127.0.0.1:${service.mqttPort}`)
        .replace('remote_password secret', `remote_password ${service.secretOf(`ns:${NETWORK_SERVER}`)}`)
      await startWith(['chirpstack'], 'user chirpstack\ntopic readwrite application/#\n', [
        bridge,
        // Otherwise it tries again after 5 to 30 seconds.
        'restart_timeout 1',
      ])
      const [first, second] = [nextTime(), nextTime()]
      await up(await connectAs('chirpstack'), northDevice(2), first)
      await untilStored(service, northDevice(2), first)

      await service.stop()
      await up(await connectAs('chirpstack'), northDevice(2), second)
      await service.start()
      await untilStored(service, northDevice(2), second)
    })

    test('several processes on one broker: hubs speak for themselves only, and a session is ended by the command', async () => {
      const heading = 'Several processes on one broker'
      const { url, port } = await startWith(
        ['frostguard', NORTH_HUB, NORTH_HUB_2],
        blockOf(heading, 'user frostguard'),
      )
      const env = await sourcesFile(blockOf(heading, '"sources"').replace('{hostname}', '3'), url)
      service = await startTestService({ env })
      await until(
        'it reads',
        async () => (await service?.metric('frostguard_source_connected{source="cluster"}')) === 1,
      )
      const [mine, others] = [nextTime(), nextTime()]
      const reading = (at: number) => ({ device: northDevice(3), at, temperature: 4 })
      await publish(await connectAs(NORTH_HUB_2), `v1/hubs/${NORTH_HUB}/readings`, reading(others))
      await publish(await connectAs(NORTH_HUB), `v1/hubs/${NORTH_HUB}/readings`, reading(mine))
      await untilStored(service, northDevice(3), mine)
      expect((await readingsOf(service, northDevice(3))).map(({ atMs }) => atMs)).toEqual([mine])

      await service.stop()
      const command = blockOf(heading, 'mosquitto_sub')
        .trim()
        .replace('broker.example', `127.0.0.1 -p ${port}`)
        .replace('secret', PASSWORD)
      const [program = '', ...args] = command.split(' ')
      expect(await hasSession(url)).toBe(true)
      await runProgram(program, args)
      expect(await hasSession(url)).toBe(false)
    })
  },
)

/** Whether Mosquitto keeps the session of the process that is away; looking leaves it as it is. */
async function hasSession(url: string): Promise<boolean> {
  const client = mqtt.connect(url, {
    protocolVersion: 5,
    clientId: 'frostguard-3',
    username: 'frostguard',
    password: PASSWORD,
    clean: false,
    reconnectPeriod: 0,
    properties: { sessionExpiryInterval: 3_600 },
  })
  clients.push(client)
  const { promise, resolve } = Promise.withResolvers<boolean>()
  client.on('connect', ({ sessionPresent }) => resolve(sessionPresent))
  const isThere = await promise
  await client.endAsync()
  return isThere
}
