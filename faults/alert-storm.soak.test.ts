/** F64: ten thousand sensors that are out at once, over the whole service. */
import { afterAll, beforeAll, test } from 'vitest'
import { startTestService, type TestService } from '../contract/testing/service.ts'
import { expectStormTold } from './testing/alert-storm.ts'

let service: TestService
beforeAll(async () => {
  service = await startTestService()
})
afterAll(() => service.close())

test('10,000 sensors at once: each has its alert, and people get few messages', () =>
  expectStormTold(service, 10_000))
