/** docs/protocol.md, "Running": `npm start` and its settings, in a process of its own as a user starts it. */
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import { Client } from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { closeAll, connectClient, logInRaw, publishPacket, type RawClient } from '../broker/testing.ts'
import { until } from '../db/testing/poll.ts'
import { createTestDatabase, type TestDatabase } from '../db/testing/test-database.ts'
import { makeTestFolder, removeTestFolder } from '../db/testing/test-folder.ts'
import { readServiceSettings } from '../service/service.ts'
import { collect, publish, received, runProgram } from './testing/clients.ts'
import { acmeFleet, NORTH_HUB, northDevice } from './testing/fleet.ts'
import { runFleetApply, runMain, type ServiceProcess, startProcess } from './testing/process.ts'
import { hasProgram } from './testing/programs.ts'
import { readMetric } from './testing/status-page.ts'
import { nextTime } from './testing/times.ts'

const READINGS = `v1/hubs/${NORTH_HUB}/readings`
const RECEIPT = `v1/hubs/${NORTH_HUB}/receipt`

let folder: string
const started: ServiceProcess[] = []

beforeAll(async () => {
  folder = await makeTestFolder()
})
afterEach(closeAll)
afterAll(async () => {
  for (const { child, ended } of started) {
    child.kill('SIGKILL')
    await ended
  }
  await removeTestFolder(folder)
})

async function start(env: Record<string, string>): Promise<ServiceProcess> {
  const service = await startProcess(env)
  started.push(service)
  return service
}

test('what is not set has its default', () => {
  const settings = readServiceSettings({})
  expect(settings).toMatchObject({
    DATA_DIR: './.data',
    MQTT_HOST: '127.0.0.1',
    MQTT_PORT: 1883,
    MQTT_TLS_PORT: 8883,
    MQTT_MESSAGE_BYTES_MAX: 256 * 1024,
    MQTT_FRAME_BYTES_MAX: 4 * 1024 * 1024,
    HTTP_HOST: '127.0.0.1',
    HTTP_PORT: 8080,
    RECEIPT_GAP_SECONDS: 300,
  })
  expect(settings.MQTT_WS_PORT).toBeUndefined()
  expect(settings.DATABASE_URL).toBeUndefined()
})

describe('a bad setting stops the start with its name, its value and what was expected', () => {
  test('all bad ones at once', async () => {
    const bad = {
      MQTT_PORT: '70000',
      MQTT_WS_PORT: '-1',
      HTTP_PORT: 'http',
      LOG_LEVEL: 'loud',
      MQTT_MESSAGE_BYTES_MAX: '256k',
      RECEIPT_GAP_SECONDS: '0',
      DATABASE_URL: 'mysql://owner:hidden@db.example/frost',
    }
    const { code, stdout, stderr } = await runMain(bad)
    expect(code).toBe(1)
    expect(stdout).toBe('')
    for (const [name, value] of Object.entries(bad)) {
      const line = stderr.split('\n').find((text) => text.trim().startsWith(`${name}=`))
      expect(line, name).toContain(name === 'DATABASE_URL' ? 'mysql://owner:***@db.example/frost' : value)
      expect(line, name).toContain('expected')
    }
    expect(stderr).not.toContain('hidden')
  })

  test('a .env file is read, and a variable that is set wins', async () => {
    const cwd = join(folder, 'with-env-file')
    await mkdir(cwd)
    await writeFile(join(cwd, '.env'), 'LOG_LEVEL=from-file\nINGEST_LANES=from-file\n')
    const { code, stderr } = await runMain({ INGEST_LANES: 'from-environment' }, cwd)
    expect(code).toBe(1)
    expect(stderr).toContain('LOG_LEVEL="from-file": expected one of')
    expect(stderr).toContain('INGEST_LANES="from-environment": expected a whole number')
  })

  test.each([
    [
      'a TLS key without its certificate',
      { MQTT_TLS_KEY: '/nowhere/key.pem' },
      ['MQTT_TLS_KEY=/nowhere/key.pem', 'MQTT_TLS_CERT'],
    ],
    [
      'a database that cannot be reached',
      { DATABASE_URL: 'postgres://u:hidden@127.0.0.1:1/frost', DATABASE_START_WAIT_MS: '0' },
      ['DATABASE_URL', '127.0.0.1:1'],
    ],
  ])('%s', async (_words, env, named) => {
    const { code, stderr } = await runMain(env)
    expect(code).toBe(1)
    for (const words of named) expect(stderr).toContain(words)
    expect(stderr).not.toContain('hidden')
    // A sentence for the operator, not a stack of calls.
    expect(stderr).not.toMatch(/^\s+at /m)
  })

  describe('a port or an address that cannot be had', () => {
    let database: TestDatabase
    const taken = createServer()

    beforeAll(async () => {
      database = await createTestDatabase()
      await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve))
    })
    afterAll(async () => {
      taken.close()
      await database.drop()
    })

    test.each(['MQTT_PORT', 'HTTP_PORT'])('a port that is taken: %s', async (name) => {
      const { port } = taken.address() as AddressInfo
      const { code, stderr } = await runMain({ DATABASE_URL: database.url, [name]: String(port) })
      expect(code).toBe(1)
      expect(stderr).toContain(`${name}=${port}`)
      expect(stderr).toContain('taken')
    })

    test.each(['MQTT_HOST', 'HTTP_HOST'])("an address that is not this machine's: %s", async (name) => {
      // RFC 5737: an address for documentation, which no machine has.
      const { code, stderr } = await runMain({ DATABASE_URL: database.url, [name]: '192.0.2.1' })
      expect(code).toBe(1)
      expect(stderr).toContain(`${name}=192.0.2.1`)
      expect(stderr).toMatch(/set |expected /i)
    })
  })
})

describe('SIGINT and SIGTERM stop it cleanly', () => {
  let database: TestDatabase
  let blocker: Client
  let secret: string
  let service: ServiceProcess
  let hub: RawClient

  beforeAll(async () => {
    database = await createTestDatabase()
    secret = await provision(join(folder, 'stopping'), { DATABASE_URL: database.url })
    blocker = new Client({ connectionString: database.url })
    await blocker.connect()
  })
  beforeEach(async () => {
    // The spool must not take what is held, however slow the machine is.
    const held = { SHUTDOWN_DRAIN_MS: '300000', INGEST_HOLD_MS: '60000' }
    service = await start({ DATABASE_URL: database.url, ...held })
    hub = await logInRaw(service.mqttPort, { username: NORTH_HUB, password: Buffer.from(secret) })
  })
  afterAll(async () => {
    await blocker.end()
    await database.drop()
  })

  const storedAt = async (at: number) =>
    (
      await blocker.query('SELECT 1 FROM public.sensor_readings WHERE recorded_at = to_timestamp($1)', [
        at / 1e3,
      ])
    ).rowCount

  /** Publishes a reading that cannot be committed until the blocker's transaction ends; returns its time. */
  async function publishHeld(): Promise<number> {
    await blocker.query('BEGIN; LOCK TABLE public.sensor_readings IN ACCESS EXCLUSIVE MODE')
    const at = nextTime()
    const payload = JSON.stringify({ device: northDevice(0), at, temperature: 4 })
    hub.send(publishPacket({ topic: READINGS, payload }))
    await until('it is held', async () => (await readMetric(service, 'frostguard_readings_in_flight')) === 1)
    return at
  }

  test.each(['SIGTERM', 'SIGINT'] as const)(
    '%s: what is held is committed and acknowledged, and the exit code is 0',
    async (signal) => {
      const at = await publishHeld()
      service.signal(signal)
      await until('it takes no new connections', () => refusesConnections(service.mqttPort))
      expect(hub.all('puback')).toEqual([])
      await blocker.query('ROLLBACK')
      await hub.next('puback')
      expect(await storedAt(at)).toBe(1)
      await hub.untilClosed()
      expect(await service.ended).toBe(0)
      expect(service.stdout).not.toContain(secret)
    },
  )

  test('a second signal ends it at once: what is not committed stays unacknowledged', async () => {
    const at = await publishHeld()
    // Ctrl-C in a terminal reaches the process twice, so a repetition within the first second is the same one.
    service.signal('SIGTERM')
    let code: unknown
    void service.ended.then((ended) => {
      code = ended
    })
    await until('it has ended', () => {
      service.signal('SIGTERM')
      return code !== undefined
    })
    expect(code).toBe(1)
    expect(hub.all('puback')).toEqual([])
    // The server has had the whole batch, so with the lock gone it may be stored all the same: nobody was told so.
    await blocker.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
       WHERE datname = current_database() AND wait_event_type = 'Lock'`,
    )
    await blocker.query('ROLLBACK')
    expect(await storedAt(at)).toBe(0)
  })
})

describe('without DATABASE_URL, on an embedded PostgreSQL kept in DATA_DIR', () => {
  let env: { DATA_DIR: string; LOG_LEVEL: string }
  let service: ServiceProcess
  let secret: string
  const times = [nextTime(), nextTime()]

  beforeAll(async () => {
    env = { DATA_DIR: join(folder, 'data'), LOG_LEVEL: 'warn' }
    service = await start(env)
  })

  const connect = () => connectClient(service.mqttPort, { username: NORTH_HUB, password: secret })

  async function storedTimes(): Promise<number[]> {
    const client = new Client({ connectionString: service.printed('Database (psql)') })
    await client.connect()
    const result = await client.query<{ at: number }>(
      'SELECT round(extract(epoch FROM recorded_at) * 1000)::float8 AS at FROM public.sensor_readings ORDER BY 1',
    )
    await client.end()
    return result.rows.map((row) => row.at)
  }

  test('npm start prints where everything listens', async () => {
    expect(service.printed('MQTT')).toMatch(/^mqtt:\/\/127\.0\.0\.1:\d+$/)
    expect(service.printed('Status page')).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/)
    expect((await service.get('/readyz')).status).toBe(200)
    expect(() => service.printed('MQTT over TLS')).toThrow()
    expect(() => service.printed('MQTT over WebSocket')).toThrow()
  })

  test.skipIf(!hasProgram('psql'))(
    "among it one line with a database URL that psql accepts (the owner's, with password; skipped without psql)",
    async () => {
      const owner =
        'SELECT pg_get_userbyid(datdba) = current_user FROM pg_database WHERE datname = current_database()'
      const lines = service.stdout.split('\n').filter((line) => line.includes('postgres'))
      expect(lines).toHaveLength(1)
      const url = /postgres\S+/.exec(lines[0] ?? '')?.[0] ?? ''
      expect(new URL(url).password).not.toBe('')
      const psql = await runProgram('psql', [url, '-XAtc', owner], { env: { PATH: process.env['PATH'] } })
      expect(psql).toMatchObject({ code: 0, stdout: 't\n' })
    },
  )

  test('fleet:apply uses the running server of DATA_DIR', async () => {
    secret = await provision(join(folder, 'embedded'), env)
    const hub = await connect()
    const message = {
      boot: 'b',
      seq: 1,
      readings: [{ device: northDevice(0), at: times[0], temperature: 4 }],
    }
    await publish(hub, READINGS, message)
    expect(await storedTimes()).toEqual([times[0]])
  })

  test('after kill -9 the next start has what was acknowledged, and its receipts', async () => {
    const hub = await connect()
    const message = {
      boot: 'b',
      seq: 2,
      readings: [{ device: northDevice(0), at: times[1], temperature: 4 }],
    }
    await publish(hub, READINGS, message)
    service.signal('SIGKILL')
    expect(await service.ended).toBe('SIGKILL')
    service = await start(env)
    expect(await storedTimes()).toEqual(times)
    const receipts = await collect(await connect(), RECEIPT)
    expect((await received(receipts, 1)).json).toMatchObject({ boot: 'b', seq: 2 })
  })

  test('SIGTERM stops it cleanly, and fleet:apply starts the server for its own time', async () => {
    service.signal('SIGTERM')
    expect(await service.ended).toBe(0)
    const path = join(folder, 'embedded.fleet.json')
    const again = await runFleetApply([path, '--credentials', join(folder, 'embedded.json')], env)
    expect(again).toMatchObject({ code: 0, stderr: '' })
    service = await start(env)
    expect(await storedTimes()).toEqual(times)
    await connect()
    service.signal('SIGINT')
    expect(await service.ended).toBe(0)
  })
})

/** Applies the fleet by the command, and returns the secret of the north hub. */
async function provision(path: string, env: Record<string, string>): Promise<string> {
  await writeFile(`${path}.fleet.json`, JSON.stringify(acmeFleet()))
  const result = await runFleetApply([`${path}.fleet.json`, '--credentials', `${path}.json`], env)
  expect(result).toMatchObject({ code: 0, stderr: '' })
  return JSON.parse(await readFile(`${path}.json`, 'utf8')).hubs[NORTH_HUB]
}

async function refusesConnections(port: number): Promise<boolean> {
  try {
    const client = await logInRaw(port, {})
    await client.close()
    return false
  } catch {
    return true
  }
}
