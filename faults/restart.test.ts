/** The service ends and comes back, or stands still, while hubs publish; `restart.soak.test.ts` has the long ones. */
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { closeAll } from '../broker/testing.ts'
import type { LoadedService } from './testing/loaded-service.ts'
import { expectToGoOnAfter, startImpatientService } from './testing/stand-still.ts'

let service: LoadedService

beforeAll(async () => {
  service = await startImpatientService()
})
afterEach(closeAll)
afterAll(() => service?.close())

test('SIGTERM under load, twice: it ends by itself, nothing acknowledged is lost, nothing stored twice', async () => {
  const load = service.load({ everyMs: 200 })
  for (let restart = 0; restart < 2; restart++) {
    await service.acknowledges(200)
    expect(await service.end('SIGTERM')).toBe(0)
    await service.start()
  }
  await service.acknowledges(200)
  await load.stop()
  await service.expectAllStored()
})

test('a process that stood still for longer than its limits cuts no hub off that has pinged meanwhile, and goes on', () =>
  expectToGoOnAfter(2_500, service))
