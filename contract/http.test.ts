/** docs/protocol.md, "Running": HTTP, and what a hub sees while the database is away. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { closeAll, publishPacket } from '../broker/testing.ts'
import { until } from '../db/testing/poll.ts'
import { startTestServer, type TestServer } from '../db/testing/test-server.ts'
import { onServer } from '../faults/testing/postgres.ts'
import { connectRaw } from './testing/clients.ts'
import { NORTH_HUB, northDevice } from './testing/fleet.ts'
import { readingsOf } from './testing/rows.ts'
import { startTestService, type TestService } from './testing/service.ts'
import { nextTime } from './testing/times.ts'

let server: TestServer
let service: TestService

beforeAll(async () => {
  server = await startTestServer({ migrate: true })
  service = await startTestService({ databaseUrl: server.url })
})
afterEach(closeAll)
afterAll(async () => {
  await service.close()
  await server.remove()
})

describe('HTTP', () => {
  test.each([
    ['/', 'text/html', "the operators' console: a plain live status page"],
    ['/metrics', 'text/plain; version=0.0.4', 'Prometheus text'],
    ['/livez', 'text/plain', 'alive'],
    ['/readyz', 'text/plain', 'ready'],
  ])('%s: %s', async (path, type) => {
    const response = await service.get(path)
    expect(response.status).toBe(200)
    expect(response.headers.get('content-type')).toContain(type)
    expect(await response.text()).not.toBe('')
  })

  test('the status page is one file: it asks nobody else for scripts, styles or fonts', async () => {
    const page = await (await service.get('/')).text()
    expect(page).toContain('<title>FrostGuard')
    expect(page).not.toMatch(/(?:src|href)="(?:https?:)?\/\//)
  })

  test('every line of /metrics is Prometheus text', async () => {
    const page = await (await service.get('/metrics')).text()
    const line =
      /^(?:# (?:HELP|TYPE) \S+ .+|[a-zA-Z_:][\w:]*(?:\{(?:\w+="[^"\n]*",?)*\})? (?:[-+\d.eE]+|NaN|[+-]Inf))$/
    for (const text of page.split('\n').filter((each) => each !== '')) expect(text).toMatch(line)
  })

  test('other paths and methods are refused', async () => {
    expect((await service.get('/nothing')).status).toBe(404)
    expect((await service.get('/', { method: 'POST', body: 'x' })).status).toBe(405)
  })

  test('listeners bind to 127.0.0.1 unless told otherwise', () => {
    expect(new URL(service.address('mqtt')).hostname).toBe('127.0.0.1')
    expect(new URL(service.address('console')).hostname).toBe('127.0.0.1')
  })
})

describe('while the database is away', () => {
  const readyz = async () => {
    const response = await service.get('/readyz')
    return { status: response.status, text: await response.text() }
  }

  test('/readyz is 503 with the reason, nothing is acknowledged; when it is back all is committed', async () => {
    const hub = await connectRaw(service, NORTH_HUB)
    const device = northDevice(0)
    const send = (messageId: number) => {
      const payload = JSON.stringify({ device, at: nextTime(), temperature: messageId })
      hub.send(publishPacket({ topic: `v1/hubs/${NORTH_HUB}/readings`, payload, messageId }))
    }
    await server.stop('immediate')
    send(1)
    await until('it is not ready', async () => (await readyz()).status === 503)
    expect((await readyz()).text).toContain('database')
    expect((await service.get('/livez')).status).toBe(200)
    expect((await service.get('/metrics')).status).toBe(200)
    send(2)
    expect(hub.all('puback')).toEqual([])
    expect(hub.closed).toBe(false)

    await server.start()
    await hub.next('puback', 2)
    expect((await readingsOf(service, device)).map((row) => row.temperature)).toEqual([1, 2])
    await until('it is ready', async () => (await readyz()).status === 200)
  })

  test('a hub that was known may log in', async () => {
    await server.stop('immediate')
    const hub = await connectRaw(service, NORTH_HUB, { clientId: 'while-away' })
    expect(hub.all('connack')).toMatchObject([{ returnCode: 0 }])
    await server.start()
    await until('it is ready', async () => (await readyz()).status === 200)
  })

  test('a database that answers and commits nothing is not ready either', async () => {
    await service.stop()
    await service.start({ INGEST_HOLD_MS: '300' })
    await onServer(server.url, async (blocker) => {
      await blocker.query('BEGIN; LOCK TABLE pipeline.ingest_batches IN ACCESS EXCLUSIVE MODE')
      const hub = await connectRaw(service, NORTH_HUB)
      const payload = JSON.stringify({ device: northDevice(1), at: nextTime(), temperature: 4 })
      hub.send(publishPacket({ topic: `v1/hubs/${NORTH_HUB}/readings`, payload, messageId: 1 }))
      let last = { status: 0, text: '' }
      await until('it is said that it takes nothing', async () => {
        last = await readyz()
        return /database away: it has taken nothing for .* messages go to the spool/.test(last.text)
      })
      expect(last.status).toBe(503)
      await hub.next('puback', 1)
      await blocker.query('ROLLBACK')
    })
    await until('it is ready', async () => (await readyz()).status === 200)
  })
})
