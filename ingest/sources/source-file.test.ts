import { writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { makeTestFolder, removeTestFolder } from '../../db/testing/test-folder.ts'
import { SettingsError } from '../../settings.ts'
import { readSources } from './source-file.ts'

const CHIRPSTACK = {
  key: 'berlin',
  kind: 'chirpstack',
  url: 'mqtt://broker.example:1883',
  network_server: 'chirpstack-1',
}
const SHARED = {
  key: 'all',
  kind: 'frostguard',
  url: 'mqtts://broker.example',
  share_group: 'g',
  client_id: 'one',
}

let folder: string

beforeAll(async () => {
  folder = await makeTestFolder()
  await writeFile(join(folder, 'password'), 'from a file\n')
})
afterAll(() => removeTestFolder(folder))

async function read(...sources: object[]) {
  return readText(JSON.stringify({ sources }))
}

async function readText(text: string) {
  const path = join(folder, 'sources.json')
  await writeFile(path, text)
  return readSources(path)
}

/** What it says of a file that it refuses. */
async function refusal(...sources: object[]): Promise<string> {
  const error = await read(...sources).then(
    () => undefined,
    (thrown: Error) => thrown,
  )
  expect(error).toBeInstanceOf(SettingsError)
  return error?.message ?? ''
}

test('what is left out has its default', async () => {
  expect(await read(CHIRPSTACK)).toEqual([
    {
      key: 'berlin',
      kind: 'chirpstack',
      url: 'mqtt://broker.example:1883',
      username: undefined,
      password: undefined,
      networkServer: 'chirpstack-1',
      filters: [
        'application/+/device/+/event/up',
        'application/+/device/+/event/join',
        'application/+/device/+/event/status',
      ],
      protocolVersion: 4,
      clientId: 'frostguard-berlin',
      sessionExpirySeconds: 604_800,
      tlsCa: undefined,
    },
  ])
})

test('The Things Stack is asked for the topics of its application', async () => {
  const [source] = await read({
    ...CHIRPSTACK,
    kind: 'the-things-stack',
    username: 'cold@tenant1',
    password_file: 'password',
  })
  expect(source?.filters).toEqual(['v3/cold@tenant1/devices/+/up', 'v3/cold@tenant1/devices/+/join'])
  expect(source?.password).toBe('from a file')
})

test('a share group is put before every topic, and is of MQTT 5', async () => {
  const [source] = await read({
    ...SHARED,
    topics: ['v1/hubs/+/readings'],
    client_id: 'frostguard-{hostname}',
  })
  expect(source).toMatchObject({
    filters: ['$share/g/v1/hubs/+/readings'],
    protocolVersion: 5,
    clientId: `frostguard-${hostname()}`,
  })
})

test.each([
  [{ key: 'Berlin' }, 'sources[0].key: expected 1 to 64 of a-z, 0-9 and -, got "Berlin"'],
  [{ kind: 'helium' }, 'sources[0].kind: expected chirpstack, the-things-stack or frostguard, got "helium"'],
  [{ url: 'http://broker' }, 'sources[0].url: expected mqtt://host:port'],
  [
    { network_server: undefined },
    'sources[0].network_server: expected the key of a network server of the fleet',
  ],
  [{ kind: 'frostguard' }, 'sources[0].network_server: expected none'],
  [{ kind: 'the-things-stack' }, 'sources[0].username: expected {application}@{tenant}'],
  [{ url: 'mqtt:broker' }, 'sources[0].url: expected mqtt://host:port'],
  [{ url: 'mqtt:///x' }, 'sources[0].url: expected mqtt://host:port'],
  [{ password: 'x' }, 'sources[0].username: expected one beside a password'],
  [{ topics: [] }, 'sources[0].topics: '],
  [{ topics: ['a/#/b'] }, 'sources[0].topics[0]: expected a topic filter of MQTT'],
  [{ topics: ['$share/g/a'] }, 'sources[0].topics[0]: expected a topic filter of MQTT without $share'],
  [
    { password: 'x', password_file: 'password' },
    'sources[0].password_file: expected a password or a password_file',
  ],
  [{ protocol_version: '3.1' }, 'sources[0].protocol_version: expected "3.1.1" or "5", got "3.1"'],
  [{ share_group: 'g' }, 'sources[0].client_id: expected one that no other process has'],
  [{ share_group: 'a/b' }, 'sources[0].share_group: expected 1 to 64 characters without / + #'],
  [
    { share_group: 'g', client_id: 'one', protocol_version: '3.1.1' },
    'sources[0].protocol_version: expected "5": shared subscriptions are of MQTT 5',
  ],
  [{ session_expiry_seconds: 0 }, 'sources[0].session_expiry_seconds: '],
  [{ pasword: 'x' }, 'sources[0]: Unrecognized key: "pasword"'],
  [{ tls_ca: 'missing.pem' }, 'the tls_ca of source "berlin" cannot be read'],
])('%j is refused in words', async (change, words) => {
  expect(await refusal({ ...CHIRPSTACK, ...change })).toContain(words)
})

test('two sources with one key are refused', async () => {
  expect(await refusal(CHIRPSTACK, CHIRPSTACK)).toContain(
    'sources[1].key: expected a key that no other source has',
  )
})

test('two sources that would cut each other off are refused', async () => {
  const said = await refusal(SHARED, { ...SHARED, key: 'other' })
  expect(said).toContain(
    'sources[1].client_id: expected one that no other source at this broker has, got "one"',
  )
  expect(await read(SHARED, { ...SHARED, key: 'other', client_id: 'two' })).toHaveLength(2)
})

test.each(['hun/ter2', 'hun@ter2', 'hun:ter2', 'hun#ter2', 'hun"ter2', 'hunter2'])(
  'the password %s within a URL is not repeated',
  async (password) => {
    const said = await refusal({ ...CHIRPSTACK, url: `mqtt://me:${password}@broker.example` })
    expect(said).toContain('mqtt://me:***@broker.example')
    expect(said).not.toMatch(/hun|ter2/)
  },
)

test('no secret is repeated', async () => {
  const url = 'mqtt://me:hunter2@broker.example'
  const said = await refusal({ ...CHIRPSTACK, url, password: 123_456 })
  expect(said).toContain('mqtt://me:***@broker.example')
  expect(said).not.toMatch(/hunter2|123456/)
  await expect(readText('{"password": "hunter2"')).rejects.toThrow(/^(?!.*hunter2).*it is no JSON/s)
})

test('a file that is not there is named with its setting', () => {
  expect(() => readSources('/nowhere/sources.json')).toThrow(
    'INGEST_SOURCES_FILE="/nowhere/sources.json": it cannot be read (/nowhere/sources.json: ENOENT)',
  )
})
