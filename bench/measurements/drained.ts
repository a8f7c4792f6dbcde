import { setTimeout as sleep } from 'node:timers/promises'
import { type Metrics, readMetrics } from '../processes/metrics.ts'

const DRAIN_MS_MAX = 120_000
const DRAIN_POLL_MS = 200

/** By the metric that counts them. What comes out of the spool is in flight until it is committed. */
const HELD = {
  frostguard_readings_spooled: 'readings still in the spool',
  frostguard_readings_in_flight: 'readings still in flight',
  frostguard_door_events_spooled: 'door events still in the spool',
  frostguard_door_events_in_flight: 'door events still in flight',
}

/** What went to the spool, because the database took longer than the hold time, is in no table until it has drained. */
export async function metricsWhenDrained(url: string): Promise<Metrics> {
  const giveUpAt = performance.now() + DRAIN_MS_MAX
  for (;;) {
    const metrics = await readMetrics(url)
    const isDrained = Object.keys(HELD).every((name) => metrics.get(name) === 0)
    // What is left then is missing in the books.
    if (isDrained || performance.now() > giveUpAt) return metrics
    await sleep(DRAIN_POLL_MS)
  }
}

/** What of the acknowledged is in no table, because the database has not taken it in time: a sentence for each kind. */
export function stillHeld(metrics: Metrics): string[] {
  return Object.entries(HELD).flatMap(([name, what]) => {
    const count = metrics.get(name) ?? 0
    return count > 0 ? [`${what}, ${DRAIN_MS_MAX / 1_000} s after the load: ${count}, expected 0`] : []
  })
}
