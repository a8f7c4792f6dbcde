import type { Fault } from '../../../payloads.ts'
import type { Probe } from './types.ts'

/** Of several temperatures, which is the unit's, unless the device's `temperature_source` says. */
const PREFERRED = ['external', 'external_2', 'external_3', 'internal']

/**
 * The temperature of a reading: that of `source` (a channel, or a field as the codec names it), else of an external probe,
 * else of the device itself. A source that the uplink does not have is a fault: another temperature in its place would
 * be that of another place.
 */
export function chooseTemperature(
  probes: readonly Probe[],
  source: string | undefined,
): { temperature: number | null; fault: Fault | null } {
  if (probes.length === 0) return { temperature: null, fault: null }
  const chosen = source === undefined ? preferred(probes) : named(probes, source)
  const { temperature, fault } = chosen ?? { temperature: null, fault: 'no_probe' as const }
  // Adding 0 makes a 0 of -0.
  return { temperature: temperature === null ? null : temperature + 0, fault }
}

function named(probes: readonly Probe[], source: string): Probe | undefined {
  return probes.find(({ channel, field }) => channel === source.toLowerCase() || field === source)
}

function preferred(probes: readonly Probe[]): Probe | undefined {
  const present = probes.filter(({ isAbsent }) => !isAbsent)
  return PREFERRED.map((name) => present.find(({ channel }) => channel === name)).find(
    (probe) => probe !== undefined,
  )
}
