/** The database away in each of its ways: hubs keep getting their PUBACK, and everything is stored, once. */
import { Client } from 'pg'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { publishPacket, type RawClient } from '../broker/testing.ts'
import { connectRaw } from '../contract/testing/clients.ts'
import { NORTH_HUB, northDevice } from '../contract/testing/fleet.ts'
import { startTestService, type TestService } from '../contract/testing/service.ts'
import { nextTime } from '../contract/testing/times.ts'
import { until } from '../db/testing/poll.ts'
import { freezeServer } from './testing/postgres.ts'
import { type ProxiedServer, startProxiedServer } from './testing/proxied-server.ts'
import { untilSettled } from './testing/settled.ts'

let server: ProxiedServer
let service: TestService
let hub: RawClient
let messageId = 0

async function open(env: Record<string, string>): Promise<void> {
  server = await startProxiedServer({ migrate: true })
  service = await startTestService({ databaseUrl: server.url, env: { INGEST_HOLD_MS: '300', ...env } })
}

async function close(): Promise<void> {
  await service?.close()
  await server?.remove()
}

beforeEach(async () => {
  hub = await connectRaw(service, NORTH_HUB)
  messageId = 0
})

/** Publishes a reading, and resolves to its time when it is acknowledged. */
async function publish(device = northDevice(1), beside: object[] = []): Promise<number> {
  const { id, at } = send(device, beside)
  await hub.next('puback', id)
  return at
}

function send(device: string, beside: object[]): { id: number; at: number } {
  const at = nextTime()
  messageId += 1
  const payload = JSON.stringify([{ device, at, temperature: 4 }, ...beside])
  hub.send(publishPacket({ topic: `v1/hubs/${NORTH_HUB}/readings`, payload, messageId }))
  return { id: messageId, at }
}

/** How often each of these times is stored. */
async function storedTimes(times: readonly number[]): Promise<number[]> {
  const rows = await service.query<{ at: number }>(
    `SELECT round(extract(epoch FROM recorded_at) * 1000)::float8 AS at FROM sensor_readings
     WHERE recorded_at = ANY ($1::timestamptz[]) ORDER BY 1`,
    [times.map((at) => new Date(at))],
  )
  return rows.map(({ at }) => at)
}

async function untilStored(times: readonly number[]): Promise<void> {
  await until('everything acknowledged is stored', async () => {
    const stored = await storedTimes(times).catch(() => [])
    return stored.length >= times.length
  })
  expect(await storedTimes(times)).toEqual(times)
  await untilSettled(service)
}

describe('while it is away', () => {
  beforeAll(() => open({ INGEST_BACKLOG_ROWS_MAX: '3' }))
  afterAll(close)

  test('stopped and started again: PUBACKs go on, all is stored once', async () => {
    const times = [await publish()]
    const before = await service.metric('frostguard_readings_spooled_total')
    await server.stop('immediate')
    for (let n = 0; n < 5; n += 1) times.push(await publish())
    expect(await service.metric('frostguard_readings_spooled')).toBeGreaterThan(0)
    expect((await service.get('/readyz')).status).toBe(503)
    await server.start()
    await untilStored(times)
    expect(await service.metric('frostguard_readings_spooled_total')).toBe(before + 5)
  })

  test('the spool drains in transactions as small as those of a backlog, so that live hubs do not wait for it', async () => {
    await server.stop('immediate')
    const times: number[] = []
    for (let n = 0; n < 9; n += 1) times.push(await publish())
    await server.start()
    await untilStored(times)
    const rows = await service.query<{ readings: number }>(
      'SELECT count(*)::int AS readings FROM sensor_readings WHERE recorded_at = ANY ($1::timestamptz[]) GROUP BY batch_id',
      [times.map((at) => new Date(at))],
    )
    expect(Math.max(...rows.map(({ readings }) => readings))).toBe(3)
  })

  test('a table that is locked: what was tried under lock is stored once when the lock is gone', async () => {
    const holder = new Client({ connectionString: server.directUrl })
    await holder.connect()
    await holder.query('BEGIN; LOCK TABLE sensor_readings IN ACCESS EXCLUSIVE MODE')
    const times = [await publish(), await publish()]
    await holder.query('ROLLBACK')
    await holder.end()
    await untilStored(times)
  })

  test('a ledger that is locked: the rows are written, the commit waits', async () => {
    const holder = new Client({ connectionString: server.directUrl })
    await holder.connect()
    await holder.query('BEGIN; LOCK TABLE pipeline.ingest_batches IN ACCESS EXCLUSIVE MODE')
    const times = [await publish(), await publish()]
    await holder.query('ROLLBACK')
    await holder.end()
    await untilStored(times)
  })

  test('read-only', async () => {
    const owner = new Client({ connectionString: server.directUrl })
    await owner.connect()
    const readOnly = async (value: 'on' | 'off') => {
      await owner.query(`ALTER SYSTEM SET default_transaction_read_only = ${value}`)
      await owner.query('SELECT pg_reload_conf()')
    }
    await owner.query('SET default_transaction_read_only = off')
    await readOnly('on')
    const times: number[] = []
    try {
      // Sessions hear of it a moment later.
      await until('two are in the spool', async () => {
        times.push(await publish())
        return (await service.metric('frostguard_readings_spooled')) >= 2
      })
    } finally {
      await readOnly('off')
      await owner.end()
    }
    await untilStored(times)
  })

  test('every process stopped (SIGSTOP): the connection hangs open', async () => {
    const thaw = freezeServer(server)
    let times: number[]
    try {
      times = [await publish(), await publish()]
    } finally {
      thaw()
    }
    await untilStored(times)
  })

  test('so slow that no transaction ends within the hold time: the spool drains all the same', async () => {
    const before = await service.metric('frostguard_readings_spooled_total')
    // A look-up takes one answer, and so do readings alone; with a reject beside them a transaction takes more.
    server.proxy.setFaults({ toClient: { delayMs: 110 } })
    const withReject = () => publish(northDevice(1), [{ device: northDevice(1), temperature: 999 }])
    const times = [await withReject(), await withReject()]
    await until('both are stored', async () => (await storedTimes(times)).length === 2)
    server.proxy.setFaults({})
    await untilStored(times)
    expect(await service.metric('frostguard_readings_spooled_total')).toBe(before + 4)
  })

  test('a device that is not known yet is placed when the database can be asked', async () => {
    await publish()
    await server.stop('immediate')
    await publish()
    const at = await publish('00000000000000ff')
    await server.start()
    await until('it is set aside as unknown', async () => {
      const rows = await service
        .query('SELECT reason FROM pipeline.rejected_messages WHERE device = $1', ['00000000000000ff'])
        .catch(() => [])
      return rows.length === 1
    })
    expect(await storedTimes([at])).toEqual([])
    await untilStored([])
  })

  test('the service is stopped meanwhile: it goes on from the spool', async () => {
    await server.stop('immediate')
    const times = [await publish(), await publish()]
    await service.stop()
    await server.start()
    await service.start()
    expect(await service.metric('frostguard_readings_received_total')).toBe(2)
    await untilStored(times)
  })

  test('kill -9 of PostgreSQL, again and again', async () => {
    const times: number[] = []
    for (let round = 0; round < 3; round += 1) {
      times.push(await publish())
      await server.kill()
      times.push(await publish(), await publish())
      await server.start()
    }
    await untilStored(times)
  })
})

describe('with a small spool', () => {
  beforeAll(() => open({ SPOOL_BYTES_MAX: '4194304', INGEST_BATCH_BYTES_MAX: '1048576' }))
  afterAll(close)

  test('a spool that is full: hubs wait, and nothing is lost', async () => {
    await publish()
    await server.stop('immediate')
    const sent = []
    const filler = 'x'.repeat(60_000)
    for (let n = 0; n < 100; n += 1) {
      const at = nextTime()
      messageId += 1
      const payload = JSON.stringify({ device: northDevice(1), at, temperature: 4, filler })
      hub.send(publishPacket({ topic: `v1/hubs/${NORTH_HUB}/readings`, payload, messageId }))
      sent.push({ id: messageId, at })
    }
    await until('the spool is full', async () =>
      /spool full/.test(await (await service.get('/readyz')).text()),
    )
    expect(hub.all('puback').length).toBeLessThan(101)
    await server.start()
    for (const { id } of sent) await hub.next('puback', id)
    await untilStored(sent.map(({ at }) => at))
  })
})
