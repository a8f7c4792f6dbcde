import { afterAll, beforeAll, expect, test } from 'vitest'
import type { FleetFile } from '../contract/testing/fleet.ts'
import { startTestService, type TestService } from '../contract/testing/service.ts'
import { freePort } from '../db/embedded/ports.ts'
import { parseFaults } from './faults/rates.ts'
import { generateFleet } from './fleets/generate-fleet.ts'
import { readFleetPlan } from './fleets/read-fleet.ts'
import { mqttLinks } from './hub/mqtt-link.ts'
import { Ledger } from './ledger/ledger.ts'
import { devicesOf, publishersOf } from './publishers.ts'
import { type RunOptions, runSimulators } from './run.ts'
import { formatRunSummary } from './run-summary.ts'
import { randomSeed } from './testing/rates.ts'
import type { FleetPlan } from './types.ts'
import { formatBooks } from './verify/format-books.ts'
import { databaseNowMs, verifyLedger } from './verify/verify.ts'

const SECONDS = 4
const FAULTS =
  'late=0.3,duplicate=0.2,out_of_order=0.3,missing=0.1,malformed=0.4,clock_drift=900,reboot=600,flapping=3600'
const seed = randomSeed()

let service: TestService
let fleet: FleetPlan
beforeAll(async () => {
  service = await startTestService()
  const file = generateFleet({ hubs: 10, sensorsPerHub: 8, intervalSeconds: 1, loraPercent: 30, seed: 1 })
  await service.applyFleet(file as FleetFile)
  fleet = readFleetPlan(file)
})
afterAll(() => service.close())

async function optionsOf(changes: Partial<RunOptions> = {}): Promise<RunOptions> {
  const url = service.address('mqtt')
  const startedAtMs = await databaseNowMs(service.url)
  const clients = publishersOf(fleet)
  const { organization } = fleet
  return {
    fleet,
    secrets: new Map(clients.map((publisher) => [publisher, service.secretOf(publisher)])),
    url,
    openLink: mqttLinks(url),
    seed,
    rates: parseFaults(FAULTS),
    speed: 1,
    seconds: SECONDS,
    limits: { readingsPerMessageMax: 10, batchMs: 500, inFlightMax: 4, bufferMessagesMax: 50 },
    drainSeconds: 30,
    ledger: new Ledger({ organization, devices: devicesOf(fleet), clients, startedAtMs }),
    stop: new AbortController().signal,
    print: () => {},
    ...changes,
  }
}

test(`whatever goes wrong at the hubs, the database equals the ledger (seed ${seed})`, async () => {
  const options = await optionsOf()
  const result = await runSimulators(options)
  const books = await verifyLedger(service.url, options.ledger)
  expect(books.isOff, formatBooks(books)).toBe(false)
  expect(result.undelivered).toBe(0)
  expect(books.readings.stored).toBeGreaterThan(50)
  // A run without faults would show nothing.
  expect(books.rejects.length).toBeGreaterThan(0)
  expect(books.readings.sentAgain).toBeGreaterThan(0)
  expect(result.counts.connectionsLost).toBeGreaterThan(0)
  expect(result.counts.rejectAnswers).toBeGreaterThan(0)
  for (const fault of ['late', 'missing', 'duplicate', 'out_of_order', 'malformed', 'clock_drift'] as const) {
    expect(result.faultCounts[fault], fault).toBeGreaterThan(0)
  }
  const summary = formatRunSummary(result, options.ledger)
  expect(summary).toContain(`missing ${result.faultCounts.missing}`)
  expect(summary).toMatch(/PUBACK p50 [\d.]+ ms p99 [\d.]+ ms/)
})

test('it ends when it is told to, and delivers what there is', async () => {
  const stop = new AbortController()
  const lines: string[] = []
  const options = await optionsOf({
    seconds: undefined,
    rates: parseFaults('none'),
    stop: stop.signal,
    progressMs: 1_500,
    print: (line) => {
      lines.push(line)
      stop.abort()
    },
  })
  const result = await runSimulators(options)
  expect(lines).toHaveLength(1)
  const all = `hubs ${publishersOf(fleet).length}/${publishersOf(fleet).length}`
  expect(lines[0]).toContain(all)
  expect(lines[0]).toMatch(/readings\/s .* failed 0 .* PUBACK p50 .* units: /)
  const { readings, doors } = options.ledger
  expect(readings.acknowledged).toBe(readings.published)
  expect(readings.published).toBeGreaterThan(0)
  expect(doors.acknowledged).toBe(doors.published)
  expect(result).toMatchObject({ undelivered: 0, counts: { connected: 0, failed: 0 } })
})

test('without a broker, or with a wrong secret, it is one sentence', async () => {
  const nowhere = `mqtt://127.0.0.1:${await freePort()}`
  const away = await optionsOf({ url: nowhere, openLink: mqttLinks(nowhere) })
  await expect(runSimulators(away)).rejects.toThrow(
    /^No MQTT broker can be reached at mqtt:.*ECONNREFUSED.*npm start.*--url\.$/,
  )
  const clients = publishersOf(fleet)
  const secrets = new Map(clients.map((publisher) => [publisher, service.secretOf(publisher)]))
  const first = await optionsOf({ secrets: new Map([...secrets, [clients[0] ?? '', 'wrong']]) })
  await expect(runSimulators(first)).rejects.toThrow(`refuses ${clients[0]}`)
  const third = await optionsOf({ secrets: new Map([...secrets, [clients[2] ?? '', 'wrong']]) })
  await expect(runSimulators(third)).rejects.toThrow(`refuses ${clients[2]}`)
})
