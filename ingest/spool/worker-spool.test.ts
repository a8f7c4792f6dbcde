import { once } from 'node:events'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { pino } from 'pino'
import { expect, onTestFinished, test } from 'vitest'
import { SpoolFailedError } from './errors.ts'
import { testBatch, WRITER } from './testing/batches.ts'
import { EVERYTHING, idsIn, MIB, openTestSpool, testFolder } from './testing/spools.ts'
import { WorkerSpool } from './worker-spool.ts'

/** A spool whose thread the test can reach, and what it logs. */
function spoolOf(worker: Worker, file: string) {
  onTestFinished(() => worker.terminate().then(() => undefined))
  const lines: string[] = []
  const log = pino({ level: 'info' }, { write: (line) => lines.push(JSON.parse(line).msg) })
  const spool = new WorkerSpool(worker, { file, ageMaxMs: Number.POSITIVE_INFINITY, now: Date.now, log })
  return { spool, lines }
}

function startThread(file: string): Worker {
  const workerData = { file, bytesMax: 256 * MIB }
  return new Worker(new URL('./spool-worker.ts', import.meta.url), { workerData, execArgv: [] })
}

/** A thread that runs this source text instead of the spool's. */
function startOther(source: string): Worker {
  return new Worker(source, { eval: true, execArgv: [] })
}

const OPENS = `
  const { parentPort } = require('node:worker_threads')
  const stats = { batches: 0, messages: 0, bytes: 0, oldestReceivedAtMs: null, items: {} }
  parentPort.postMessage({ call: 0, answer: null, report: { stats, trouble: undefined } })`

test('a thread that dies rejects what waits, and the state says so; what was appended is in the file', async () => {
  const folder = await testFolder()
  await (await openTestSpool(folder)).close()
  const worker = startThread(join(folder, 'spool.db'))
  const { spool, lines } = spoolOf(worker, join(folder, 'spool.db'))
  await spool.opened
  await spool.append([testBatch(1)])
  const waiting = [2, 3].map((id) => spool.append([testBatch(id, { messages: 100, payloadBytes: MIB / 10 })]))
  const reading = spool.oldest(EVERYTHING)
  const settled = Promise.allSettled([...waiting, reading])
  await worker.terminate()
  const outcomes = await settled
  for (const outcome of outcomes) {
    if (outcome.status === 'rejected') expect(outcome.reason).toBeInstanceOf(SpoolFailedError)
  }
  expect([spool.state, spool.reason]).toEqual([
    'failed',
    expect.stringMatching(/thread .* has died: it ended/),
  ])
  expect(lines).toEqual([spool.reason])
  await expect(spool.append([testBatch(4)])).rejects.toThrow(SpoolFailedError)
  await expect(spool.oldest(EVERYTHING)).rejects.toThrow(/has died/)
  await expect(spool.remove([{ id: 1n, writer: WRITER }])).rejects.toThrow(SpoolFailedError)
  await spool.close()
  const kept = [1, ...[2, 3].filter((_, index) => outcomes[index]?.status === 'fulfilled')]
  expect(await idsIn(await openTestSpool(folder))).toEqual(expect.arrayContaining(kept))
})

test('an error that nobody catches in the thread is no error of this process', async () => {
  const worker = startOther(`${OPENS}
    parentPort.on('message', () => { throw new Error('a defect') })`)
  const { spool } = spoolOf(worker, 'the-file')
  await spool.opened
  await expect(spool.append([testBatch(1)])).rejects.toThrow(/the-file has died: a defect/)
  expect(spool.state).toBe('failed')
  await spool.close()
})

test('a thread that dies before it has opened the file, or while it closes it', async () => {
  const { spool } = spoolOf(startOther('process.exit(7)'), 'the-file')
  await expect(spool.opened).rejects.toThrow(/the-file has died: it ended with code 7/)
  const dying = startOther(`${OPENS}
    parentPort.on('message', () => process.exit(1))`)
  const closing = spoolOf(dying, 'the-file').spool
  await closing.opened
  await Promise.all([closing.close(), once(dying, 'exit')])
  expect(closing.state).toBe('failed')
})

test('a change of its state is logged once', async () => {
  const trouble = { state: 'full', reason: 'it is full' }
  const worker = startOther(`${OPENS}
    const answers = ${JSON.stringify([trouble, trouble, null, null])}
    parentPort.on('message', ({ call }) => parentPort.postMessage({
      call, answer: [], report: { stats, trouble: answers.shift() ?? undefined } }))`)
  const { spool, lines } = spoolOf(worker, 'the-file')
  await spool.opened
  const states: string[] = []
  for (let round = 0; round < 4; round++) {
    await spool.oldest(EVERYTHING)
    states.push(spool.state)
  }
  expect(states).toEqual(['full', 'full', 'ready', 'ready'])
  expect(lines).toEqual(['it is full', 'the spool takes batches again'])
})
