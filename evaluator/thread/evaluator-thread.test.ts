import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Worker } from 'node:worker_threads'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { afterEach, describe, expect, test } from 'vitest'
import { databaseSettings } from '../../db/config.ts'
import { until } from '../../db/testing/poll.ts'
import type { CommittedBatch } from '../../ingest/committed.ts'
import { logSettings, parseSettings } from '../../settings.ts'
import { pagingSettings } from '../paging/config.ts'
import { evaluatorSettings } from '../settings.ts'
import { type EvaluatedFleet, openEvaluatedFleet, TOO_WARM } from '../testing/evaluated-fleet.ts'
import { EvaluatorThread, type EvaluatorThreadOptions, openThread } from './evaluator-thread.ts'
import type { ThreadData } from './messages.ts'

const EXCURSION = [
  [0, 3],
  [5, 5.6],
  [10, 6.1],
  [15, 6.4],
] as const
const RUNS = { rule: 'Too warm', status: 'active', started: 5, triggered: 15, peak: 6.4 }

let fleet: EvaluatedFleet
let opened: Opened | undefined
afterEach(async () => {
  await opened?.thread.stop()
  await fleet.close()
})

interface Opened {
  thread: EvaluatorThread
  workers: Worker[]
  metrics: Registry
  lines: { level: number; msg: string }[]
  told: () => number
  metric(name: string): Promise<number>
}

function open(env: Record<string, string> = {}, options: Partial<EvaluatorThreadOptions> = {}): Opened {
  const shape = { ...databaseSettings, ...evaluatorSettings, ...pagingSettings, ...logSettings }
  const settings = parseSettings(shape, {
    EVALUATOR_SAVE_MS: '100',
    EVALUATOR_POLL_MS: '20',
    EVALUATOR_LEASE_MS: '1000',
    ...env,
  })
  const workers: Worker[] = []
  const lines: Opened['lines'] = []
  const metrics = new Registry()
  let told = 0
  const thread = new EvaluatorThread({
    url: fleet.url,
    log: pino({}, { write: (line) => lines.push(JSON.parse(line)) }),
    metrics,
    settings,
    fullBatchRows: 10_000,
    onTold: () => {
      told += 1
    },
    ...options,
    open: (data) => {
      const worker = (options.open ?? openThread)(data)
      workers.push(worker)
      return worker
    },
  })
  opened = {
    thread,
    workers,
    metrics,
    lines,
    told: () => told,
    async metric(name) {
      const found = (await metrics.getMetricsAsJSON()).find((metric) => metric.name === `frostguard_${name}`)
      return found?.values.reduce((sum, { value }) => sum + value, 0) ?? Number.NaN
    },
  }
  return opened
}

async function rowsSeen(count: number): Promise<void> {
  await until('they are evaluated', async () => (await opened?.metric('evaluated_rows_total')) === count)
}

test('what is handed to the thread is an alert before the ledger can show it', async () => {
  fleet = await openEvaluatedFleet({ rules: [TOO_WARM], minutes: 15 })
  const { thread, told, metric } = open()
  thread.start()
  await fleet.commit(EXCURSION.slice(0, 1))
  await rowsSeen(1)
  await holdingTheLedgerBack(async () => {
    const batch = await fleet.commit(EXCURSION.slice(1))
    thread.committed(batch, batch.id)
    await until('there is an alert', async () => (await fleet.alerts()).length > 0)
  })
  expect(await fleet.alerts()).toMatchObject([RUNS])
  await until('the publisher is told', () => told() > 0)
  expect(await metric('evaluated_rows_total')).toBe(4)
  expect(await metric('evaluator_hand_over_dropped_total')).toBe(0)
})

test('a batch waits in the thread for older messages of its clients', async () => {
  fleet = await openEvaluatedFleet({ rules: [TOO_WARM], minutes: 15 })
  const { thread, metric } = open()
  thread.start()
  await fleet.commit(EXCURSION.slice(0, 1))
  await rowsSeen(1)
  await holdingTheLedgerBack(async () => {
    let isAhead = true
    const late = await fleet.commit(EXCURSION.slice(2), 0, 15)
    const early = await fleet.commit(EXCURSION.slice(1, 2), 0, 14)
    thread.committed({ ...late, isAhead: () => isAhead }, early.id)
    thread.committed(early, early.id)
    isAhead = false
    await until('there is an alert', async () => (await fleet.alerts()).length > 0)
  })
  expect(await fleet.alerts()).toMatchObject([RUNS])
  // In order: nothing was folded again.
  expect(await metric('evaluator_refolds_total')).toBe(0)
})

test('what finds no room on its way is read from the ledger', async () => {
  fleet = await openEvaluatedFleet({ rules: [TOO_WARM], minutes: 15 })
  const { thread, metric } = open({ EVALUATOR_HANDED_ROWS_MAX: '2' })
  thread.start()
  const [first, others] = [await fleet.commit(EXCURSION.slice(0, 1)), await fleet.commit(EXCURSION.slice(1))]
  for (const batch of [first, others] as CommittedBatch[]) thread.committed(batch, others.id)
  await rowsSeen(4)
  await fleet.evaluated()
  expect(await fleet.alerts()).toMatchObject([RUNS])
  expect(await metric('evaluator_hand_over_dropped_total')).toBeGreaterThan(0)
})

test('a thread that dies is said, and another one goes on where it was', async () => {
  fleet = await openEvaluatedFleet({ rules: [TOO_WARM], minutes: 15 })
  const { thread, workers, lines } = open()
  thread.start()
  await fleet.commit(EXCURSION.slice(0, 2))
  await fleet.evaluated()
  await workers[0]?.terminate()
  // Nobody is there to take it.
  const batch = await fleet.commit(EXCURSION.slice(2))
  thread.committed(batch, batch.id)
  await until('another one is started', () => workers.length === 2)
  await fleet.evaluated()
  expect(await fleet.alerts()).toMatchObject([RUNS])
  expect(lines.map(({ msg }) => msg)).toContain("the evaluator's thread has ended: it is started again")
})

describe('a thread that does not answer', () => {
  const HUNG_AFTER_MS = 4_000
  const hasEnded = ({ lines }: Opened) => lines.some(({ msg }) => msg.includes('has hung'))

  test('because it computes without an end is said, ended, and another one goes on where it was', async () => {
    fleet = await openEvaluatedFleet({ rules: [TOO_WARM], minutes: 15 })
    const loops = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT))
    const looping = new URL('../testing/looping-worker.ts', import.meta.url)
    let isFirst = true
    const openFirstLooping = (data: ThreadData) => {
      const given = { ...data, loops }
      const script = isFirst ? looping : undefined
      isFirst = false
      return openThread(given, script)
    }
    const running = open({}, { open: openFirstLooping, hungAfterMs: HUNG_AFTER_MS })
    const { thread, workers, metric } = running
    thread.start()
    await fleet.commit(EXCURSION.slice(0, 2))
    await fleet.evaluated()
    expect(thread.notices()).toEqual([])
    Atomics.store(loops, 0, 1)
    await until('it is said', () => thread.notices().length > 0)
    expect(thread.notices()).toEqual([
      expect.stringMatching(/has not answered for \d s\. After 4 s it is ended/),
    ])
    const batch = await fleet.commit(EXCURSION.slice(2))
    thread.committed(batch, batch.id)
    await until('another one is started', () => workers.length === 2)
    expect(hasEnded(running)).toBe(true)
    await fleet.evaluated()
    expect(await fleet.alerts()).toMatchObject([RUNS])
    await until('nothing is said any more', () => thread.notices().length === 0)
    expect(await metric('evaluator_thread_ends_total')).toBe(1)
  })

  test('because it computes without an end while it loads is said, ended, and another one is started', async () => {
    fleet = await openEvaluatedFleet({ rules: [TOO_WARM], minutes: 15 })
    const neverLoading = new URL('../testing/never-loading-worker.ts', import.meta.url)
    let opens = 0
    const openFirstNeverLoading = (data: ThreadData) => {
      opens += 1
      return openThread(data, opens === 1 ? neverLoading : undefined)
    }
    const running = open({}, { open: openFirstNeverLoading, loadMsMax: HUNG_AFTER_MS })
    running.thread.start()
    await fleet.commit(EXCURSION)
    await until('it is said', () => running.thread.notices().length > 0)
    expect(running.thread.notices()).toEqual([
      expect.stringMatching(/has been loading for \d s\. After 4 s it is ended/),
    ])
    await fleet.evaluated()
    expect(hasEnded(running)).toBe(true)
    expect(await fleet.alerts()).toMatchObject([RUNS])
  })

  test('because all of the process stands still is left alone', async () => {
    fleet = await openEvaluatedFleet({ rules: [TOO_WARM], minutes: 15 })
    const running = open({}, { hungAfterMs: HUNG_AFTER_MS })
    running.thread.start()
    await fleet.commit(EXCURSION)
    await fleet.evaluated()
    const stopFor = HUNG_AFTER_MS / 1_000 + 1
    const stopping = `kill -STOP ${process.pid}; sleep ${stopFor}; kill -CONT ${process.pid}`
    await once(spawn('sh', ['-c', stopping]), 'exit')
    await sleep(1_000)
    expect(running.thread.notices()).toEqual([])
    expect(running.workers).toHaveLength(1)
  })

  test('because its database is silent is left alone', async () => {
    fleet = await openEvaluatedFleet({ rules: [], minutes: 15 })
    const sockets: Socket[] = []
    const silent = createServer((socket) => sockets.push(socket)).listen(0, '127.0.0.1')
    await once(silent, 'listening')
    const { port } = silent.address() as AddressInfo
    const running = open(
      { DATABASE_CONNECT_TIMEOUT_MS: '60000' },
      { hungAfterMs: HUNG_AFTER_MS, url: `postgres://postgres@127.0.0.1:${port}/test` },
    )
    running.thread.start()
    await until('it asks', () => sockets.length > 0)
    await sleep(HUNG_AFTER_MS + 1_000)
    expect(hasEnded(running)).toBe(false)
    expect(running.workers).toHaveLength(1)
    for (const socket of sockets) socket.destroy()
    silent.close()
  })
})

test('its log is that of the service, and its metrics are there before it is', async () => {
  fleet = await openEvaluatedFleet({ rules: [], minutes: 15 })
  const { thread, lines, metrics } = open()
  expect(await metrics.metrics()).toContain('frostguard_evaluated_rows_total 0')
  await fleet.db.$client.query('DROP TABLE pipeline.leases')
  thread.start()
  await until('it says what is wrong', () => lines.some(({ msg }) => msg.includes('begins anew')))
  expect(lines.find(({ msg }) => msg.includes('begins anew'))).toMatchObject({
    level: 40,
    err: { message: expect.stringContaining('leases') },
  })
})

/** By an open transaction, for hours if it must be. */
async function holdingTheLedgerBack(work: () => Promise<void>): Promise<void> {
  const client = await fleet.db.$client.connect()
  try {
    await client.query('BEGIN; SELECT pg_current_xact_id()')
    await work()
  } finally {
    await client.query('ROLLBACK')
    client.release()
  }
}
