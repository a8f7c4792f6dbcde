/** `npm run demo`: the service, a generated fleet and simulators, all from one command. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../db/testing/test-database.ts'
import { makeTestFolder, removeTestFolder } from '../db/testing/test-folder.ts'
import { userEnvironment } from '../db/testing/user-environment.ts'
import { applyDemoFleet } from './demo-fleet.ts'

const PROGRAM = fileURLToPath(new URL('./demo.ts', import.meta.url))

/** Stands for what `npm run demo` has Node load first. */
const PRELOADED = 'data:text/javascript,console.log("Preloaded by",process.argv[1])'

let folder: string
let database: TestDatabase
beforeAll(async () => {
  folder = await makeTestFolder()
  database = await createTestDatabase()
})
afterAll(async () => {
  await database.drop()
  await removeTestFolder(folder)
})

describe("the demo's fleet", () => {
  const fleet = { hubs: 2, sensorsPerHub: 6, intervalSeconds: 10, loraPercent: 50, seed: 1 }
  const apply = (numbers = fleet, databaseUrl = database.url) =>
    applyDemoFleet(databaseUrl, { dataDir: join(folder, 'fleets'), fleet: numbers })

  test('with the same numbers it is the same fleet with the same secrets', async () => {
    const { report, credentialsPath } = await apply()
    expect(report).toMatchObject({ slug: 'demo-simulated' })
    expect(report.newSecrets).toContain('demo-simulated-hub-0001')
    expect((await stat(credentialsPath)).mode & 0o777).toBe(0o600)
    const secrets = await readFile(credentialsPath, 'utf8')
    expect((await apply()).report).toMatchObject({ changesTotal: 0, newSecrets: [] })
    expect(await readFile(credentialsPath, 'utf8')).toBe(secrets)
  })

  test('a secret that the file lacks is made anew, the others stay', async () => {
    const { credentialsPath } = await apply()
    const secrets = JSON.parse(await readFile(credentialsPath, 'utf8'))
    const { 'demo-simulated-hub-0002': _lost, ...hubs } = secrets.hubs
    await writeFile(credentialsPath, JSON.stringify({ ...secrets, hubs }))
    expect((await apply()).report.newSecrets).toEqual(['demo-simulated-hub-0002'])
    const now = JSON.parse(await readFile(credentialsPath, 'utf8'))
    expect(now.hubs).toMatchObject(hubs)
    expect(now.hubs['demo-simulated-hub-0002']).toMatch(/^[\w-]{32}$/)
  })

  test('the secrets of another database are all made anew', async () => {
    const other = await createTestDatabase()
    try {
      await apply(fleet, other.url)
      const { newSecrets } = (await apply()).report
      expect(newSecrets).toEqual(
        expect.arrayContaining(['demo-simulated-hub-0001', 'demo-simulated-hub-0002']),
      )
      expect((await apply()).report.newSecrets).toEqual([])
    } finally {
      await other.drop()
    }
  })

  test('what a smaller demo has not is gone, and comes back with a larger one', async () => {
    await apply({ ...fleet, hubs: 1 })
    expect(await liveHubs()).toBe(1)
    await apply()
    expect(await liveHubs()).toBe(2)
  })
})

async function liveHubs(): Promise<number> {
  const client = new Client({ connectionString: database.url })
  await client.connect()
  const { rows } = await client.query('SELECT count(*)::int AS hubs FROM hubs WHERE deleted_at IS NULL')
  await client.end()
  return rows[0]?.hubs
}

/** Runs the program; `interrupt` is told the output each time that there is more. */
async function demo(
  args: readonly string[],
  interrupt: (output: string, stop: () => void) => void = () => {},
  nodeFlags: readonly string[] = [],
) {
  const ports = { MQTT_PORT: '0', MQTT_TLS_PORT: '0', HTTP_PORT: '0', LOG_LEVEL: 'error' }
  const env = userEnvironment({
    ...ports,
    DATABASE_URL: database.url,
    DATA_DIR: join(folder, 'data'),
  })
  const child = spawn(process.execPath, [...nodeFlags, PROGRAM, ...args], {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  let isStopped = false
  const stop = () => {
    if (!isStopped) child.kill('SIGINT')
    if (!isStopped) child.kill('SIGINT')
    isStopped = true
  }
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (bytes: Buffer) => {
      output += bytes.toString()
      interrupt(output, stop)
    })
  }
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, output }
}

test('runs until Ctrl-C, then delivers, verifies, prints the books and stops', async () => {
  const args = ['--hubs', '2', '--sensors', '6', '--interval', '1']
  const interrupt = (text: string, stop: () => void) => {
    if (text.includes('Simulating')) stop()
  }
  const { code, output } = await demo(args, interrupt, ['--import', PRELOADED])
  expect(code, output).toBe(0)
  expect(output).toMatch(/^Preloaded by .*\/simulate\.ts$/m)
  expect(output).toMatch(/^Database \(psql\): +postgres:/m)
  expect(output).toMatch(/^MQTT: +mqtt:\/\/127\.0\.0\.1:\d+$/m)
  expect(output).toMatch(/^Status page: +http:/m)
  expect(output).toMatch(/^Fleet of "demo-simulated": 2 hubs, 12 sensors/m)
  const order = ['Simulating', 'Stopping', 'The database equals the ledger.', 'FrostGuard has stopped.']
  const places = order.map((words) => output.indexOf(words))
  expect(places).toEqual([...places].sort((a, b) => a - b))
  expect(places).not.toContain(-1)
})

test('a database that differs is exit code 1', async () => {
  const client = new Client({ connectionString: database.url })
  await client.connect()
  // Somebody tampers with the readings as they come.
  await client.query(`CREATE FUNCTION tamper() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN NEW.temperature := NEW.temperature + 1; RETURN NEW; END $$`)
  await client.query(
    'CREATE TRIGGER tamper BEFORE INSERT ON sensor_readings FOR EACH ROW EXECUTE FUNCTION tamper()',
  )
  await client.end()
  const { code, output } = await demo([
    '--hubs',
    '2',
    '--sensors',
    '6',
    '--interval',
    '1',
    '--seconds',
    '2',
    '--faults',
    'none',
  ])
  expect(code, output).toBe(1)
  expect(output).toContain('The database differs from the ledger.')
  expect(output).toMatch(/wrong value: reading of [0-9a-f]{16} at .*: temperature .* stored, .* sent/)
})

test('a bad command line is exit code 2 and starts nothing', async () => {
  expect(await demo(['--hubs', 'many'])).toEqual({
    code: 2,
    output: '--hubs many: expected a whole number from 1 to 10000 hubs.\n',
  })
})
