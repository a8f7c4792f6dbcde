import { afterEach, expect, test } from 'vitest'
import { type RestartedService, startRestartedService } from './testing/restarted-service.ts'
import { NO_DIFFERENCE } from './testing/stored-readings.ts'

let service: RestartedService

afterEach(() => service.close())

test.each([
  ['SIGTERM', 0],
  ['SIGKILL', 'SIGKILL'],
] as const)(
  '%s ten times while 200 hubs publish: nothing acknowledged is lost, nothing stored twice',
  async (signal, end) => {
    service = await startRestartedService({ hubs: 200, readingsPerMessage: 3, everyMs: 100 })
    for (let restart = 0; restart < 10; restart++) {
      await service.untilAcknowledged(1_000)
      service.process.signal(signal)
      expect(await service.process.ended).toBe(end)
      await service.start()
    }
    await service.untilAcknowledged(1_000)
    expect(await service.settle()).toEqual(NO_DIFFERENCE)
  },
)
