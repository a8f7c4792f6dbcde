import { expect, test } from 'vitest'
import type { LoadShape } from '../context.ts'
import { runService } from '../measurements/service.ts'
import { LOSE_A_ROW, miniContext, valuesOf } from '../testing/context.ts'
import { halfOf, measureLatency } from './latency.ts'

const SHAPE: LoadShape = { name: 'mini', connections: 3, readingsPerMessage: 2, devices: 12, inFlightMax: 1 }

test('at half of the ceiling and of one hub, with the whole histogram of each', async () => {
  const { shapes } = await measureLatency(await miniContext(), [SHAPE])
  const [result] = shapes
  expect(result?.problems).toEqual([])
  const values = valuesOf(result ?? { figures: [] })
  expect(values['half load: publish to PUBACK, p99']).toBeGreaterThanOrEqual(
    values['half load: publish to PUBACK, p50'] ?? Number.POSITIVE_INFINITY,
  )
  expect(values['one hub: publish to PUBACK, max']).toBeGreaterThan(0)
  // A second of them, and none before it or after.
  expect(values['half load: alerts raised']).toBeGreaterThanOrEqual(1)
  expect(values['half load: commit to alert, p99']).toBeGreaterThan(0)
  expect(values['half load: publish to alert, p50']).toBeGreaterThan(
    values['half load: commit to alert, p50'] ?? Number.POSITIVE_INFINITY,
  )
  expect(result?.histograms?.map(({ plot, name }) => `${plot}: ${name}`)).toEqual([
    'Latency, publish to PUBACK: half load',
    'Latency, commit to alert: half load',
    'Latency, publish to alert: half load',
    'Latency, publish to PUBACK: one hub',
  ])
})

test('an open loop sends at its rate what is due, and does not count when a row has vanished', async () => {
  const context = await miniContext({ sql: LOSE_A_ROW })
  const { load, problems } = await runService(context, SHAPE, { rate: 30 })
  expect(problems).toEqual([
    expect.stringMatching(/^rows in sensor_readings, of the readings acknowledged: .* \(-1\)$/),
  ])
  expect(load.dueMessages).toBe(load.messages)
  // A second at 30 a second: the first one is due at once, and the clock may be read late.
  expect(load.messages).toBeGreaterThanOrEqual(30)
  expect(halfOf(load)).toBeLessThanOrEqual(load.messages)
})
