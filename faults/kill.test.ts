import { setTimeout as sleep } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import { startLoadedService } from './testing/loaded-service.ts'

/** Drawn anew each run and printed with the test's name; to repeat a run, write its numbers here. */
const PAUSES_MS = Array.from({ length: 3 }, () => Math.floor(200 + Math.random() * 800))

/** Guarantees 1 and 2: the service is killed at random moments while hubs publish, and started again. */
test(`acknowledged readings survive kill -9 after ${PAUSES_MS.join(', ')} ms, and each is stored once`, async () => {
  const service = await startLoadedService({ fleet: { hubs: 20, devices: 200 } })
  onTestFinished(() => service.close())
  const load = service.load({ everyMs: 10 })
  for (const pauseMs of PAUSES_MS) {
    await sleep(pauseMs)
    expect(await service.end('SIGKILL')).toBe('SIGKILL')
    await service.start()
  }
  await sleep(300)
  await load.stop()
  await service.expectAllStored()
  expect(service.ledger.acknowledged.size).toBeGreaterThan(1_000)
  expect(await service.end('SIGTERM')).toBe(0)
})
