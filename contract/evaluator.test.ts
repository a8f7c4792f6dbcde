/** docs/protocol.md, "Running": the pages of `npm run evaluator`. */
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { type Logger, pino } from 'pino'
import { afterEach, expect, test } from 'vitest'
import { until } from '../db/testing/poll.ts'
import { startTestServer } from '../db/testing/test-server.ts'
import { openEvaluatedFleet } from '../evaluator/testing/evaluated-fleet.ts'
import {
  type EvaluatorService,
  readEvaluatorSettings,
  startEvaluatorService,
} from '../service/evaluator-service.ts'
import { readMetric, readReadyz, type StatusPage } from './testing/status-page.ts'

const FAST = { EVALUATOR_SAVE_MS: '100', EVALUATOR_LEASE_MS: '1000', EVALUATOR_HTTP_PORT: '0' }
const log: Logger = pino({ level: 'silent' })

const opened: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of opened.reverse().splice(0)) await close()
})

async function start(url: string, env = {}): Promise<EvaluatorService & StatusPage> {
  const service = await startEvaluatorService(
    readEvaluatorSettings({ ...FAST, DATABASE_URL: url, ...env }),
    log,
  )
  let stopped: Promise<void> | undefined
  const stop = () => {
    stopped ??= service.stop()
    return stopped
  }
  opened.push(stop)
  return { ...service, stop, get: (path) => fetch(new URL(path, service.url)) }
}

async function openFleet() {
  const fleet = await openEvaluatedFleet({ rules: [] })
  opened.push(() => fleet.close())
  return fleet
}

test('of two, one evaluates, which its metrics and /readyz tell', async () => {
  const fleet = await openFleet()
  const first = await start(fleet.url)
  const isActive = (service: StatusPage) => readMetric(service, 'frostguard_evaluator_active')
  await until('it evaluates', async () => (await isActive(first)) === 1)
  const second = await start(fleet.url)
  await fleet.commit([[0, 3]])
  await fleet.evaluated()
  expect(await readMetric(first, 'frostguard_evaluated_rows_total')).toBe(1)
  expect(await isActive(second)).toBe(0)
  expect(await readReadyz(first)).toBe('200 ready\n')
  expect(await readReadyz(second)).toMatch(/^200 ready\nit does not evaluate now: another process does/)
  expect((await second.get('/')).headers.get('content-type')).toContain('text/html')
  expect(await (await first.get('/status.json')).json()).toMatchObject({
    Evaluator: { 'evaluates now': 'yes' },
  })
  await first.stop()
  await until('the other one has taken over', async () => (await isActive(second)) === 1)
})

test('while the database is away it is alive and not ready, and says why', async () => {
  const server = await startTestServer({ migrate: true })
  opened.push(() => server.remove())
  const service = await start(server.url, { DATABASE_CONNECT_TIMEOUT_MS: '1000' })
  await until('it is ready', async () => (await readReadyz(service)) === '200 ready\n')
  await server.stop('immediate')
  await until('it is not', async () => (await readReadyz(service)).startsWith('503 '))
  expect(await readReadyz(service)).toMatch(/^503 nothing is evaluated since 20\d\d-.*Z: .*\w/)
  expect((await service.get('/livez')).status).toBe(200)
  await server.start()
  await until('it is again', async () => (await readReadyz(service)) === '200 ready\n')
})

test('a port that is taken stops its start with the name of the setting', async () => {
  const fleet = await openFleet()
  const other = createServer().listen(0, '127.0.0.1')
  opened.push(async () => other.close())
  await once(other, 'listening')
  const { port } = other.address() as AddressInfo
  await expect(start(fleet.url, { EVALUATOR_HTTP_PORT: String(port) })).rejects.toThrow(
    `EVALUATOR_HTTP_PORT=${port} on 127.0.0.1 is taken by another program`,
  )
})
