import { expect } from 'vitest'
import {
  readMetric,
  readMetrics,
  readReadyz,
  type StatusPage,
  sampleOf,
} from '../../contract/testing/status-page.ts'
import { until } from '../../db/testing/poll.ts'

/** Waits until nothing is in the spool or in flight, and it is ready; then its books must balance. */
export async function untilSettled(service: StatusPage): Promise<void> {
  await until('nothing is in the spool or in flight', async () => {
    const metrics = await readMetrics(service)
    // What is being drained is in flight.
    return ['readings', 'door_events'].every((items) =>
      ['spooled', 'in_flight'].every((held) => sampleOf(metrics, `frostguard_${items}_${held}`) === 0),
    )
  })
  await until('it is ready', async () => (await readReadyz(service)) === '200 ready\n')
  expect(await readMetric(service, 'frostguard_readings_imbalance')).toBe(0)
}
