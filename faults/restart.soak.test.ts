import { afterEach, expect, test } from 'vitest'
import { closeAll } from '../broker/testing.ts'
import { type LoadedService, startLoadedService } from './testing/loaded-service.ts'
import { expectToGoOnAfter, startImpatientService } from './testing/stand-still.ts'

let service: LoadedService

afterEach(async () => {
  await closeAll()
  await service.close()
})

test.each([
  ['SIGTERM', 0],
  ['SIGKILL', 'SIGKILL'],
] as const)(
  '%s ten times while 200 hubs publish: nothing acknowledged is lost, nothing stored twice',
  async (signal, end) => {
    service = await startLoadedService({ fleet: { hubs: 200, devices: 600 } })
    const load = service.load({ readingsPerMessage: 3, everyMs: 100 })
    for (let restart = 0; restart < 10; restart++) {
      await service.acknowledges(1_000)
      expect(await service.end(signal)).toBe(end)
      await service.start()
    }
    await service.acknowledges(1_000)
    await load.stop()
    await service.expectAllStored()
  },
)

test('a process that stood still for 5 s cuts no hub off that has pinged meanwhile, and goes on', async () => {
  service = await startImpatientService()
  await expectToGoOnAfter(5_000, service)
})
