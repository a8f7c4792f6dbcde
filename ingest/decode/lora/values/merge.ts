import type { Measures } from './types.ts'

/**
 * The same moment as a normalized and as a decoded payload say it: the normalized comes first. Its schema has one
 * temperature of the air, so of a device with probes the decoded payload says which is which.
 */
export function mergeMoment(normalized: Measures, decoded: Measures): Measures {
  return {
    probes: mergeProbes(normalized, decoded),
    humidity: normalized.humidity ?? decoded.humidity,
    battery: normalized.battery ?? decoded.battery,
    door: normalized.door ?? decoded.door,
    atMs: normalized.atMs ?? decoded.atMs,
    beforeMs: null,
    isHistory: false,
  }
}

function mergeProbes(normalized: Measures, decoded: Measures): Measures['probes'] {
  const hasProbes = decoded.probes.some(({ channel }) => channel !== 'internal')
  if (hasProbes || normalized.probes.length === 0) return decoded.probes
  const [first, ...others] = decoded.probes
  return [...normalized.probes.map((probe) => ({ ...probe, field: first?.field ?? null })), ...others]
}
