import { NEVER_MS } from './core/machine.ts'
import type { DeviceContext } from './unit-context.ts'

/** The newest that is known of a device, in evaluation time. */
export interface LastReading {
  /** Null = never a reading. */
  atMs: number | null
  /** Of the newest reading that has one; null = none is known. */
  temperature: { atMs: number; centi: number; isJudged: boolean } | null
}

/** As it was heard, where that is newer than what is judged: while something late waits, what comes behind it is not judged. */
export function lastReadingOf(device: Pick<DeviceContext, 'state' | 'hearing'>): LastReading {
  const { state, hearing } = device
  const atMs = Math.max(state.atMs, hearing.newestAtMs ?? NEVER_MS)
  return { atMs: atMs === NEVER_MS ? null : atMs, temperature: lastTemperatureOf(device) }
}

function lastTemperatureOf({
  state,
  hearing,
}: Pick<DeviceContext, 'state' | 'hearing'>): LastReading['temperature'] {
  const { temperatureAtMs, temperatureCenti } = hearing
  const isNewer = temperatureAtMs !== null && temperatureAtMs > state.temperatureAtMs
  if (isNewer && temperatureCenti !== null) {
    return { atMs: temperatureAtMs, centi: temperatureCenti, isJudged: false }
  }
  if (state.temperatureCenti === null) return null
  return { atMs: state.temperatureAtMs, centi: state.temperatureCenti, isJudged: true }
}
