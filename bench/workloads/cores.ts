import type { Usage } from '../processes/usage-meter.ts'
import type { FigureSet } from '../report/figures.ts'

/** What each side of a measurement took of the machine. */
export function addCores(figures: FigureSet, name: string, { cores }: Usage): void {
  for (const [side, value] of Object.entries(cores)) figures.add(`${name}: CPU of ${side}`, 'cores', value)
}

const MILLION = 1e6

/**
 * The CPU seconds that each side took for a million readings. Unlike a rate, it tells two versions apart on a machine
 * that other work is using as well.
 */
export function addCpuPerMillion(
  figures: FigureSet,
  name: string,
  { usage, readingsPerSecond }: { usage: Usage; readingsPerSecond: number },
): void {
  for (const [side, cores] of Object.entries(usage.cores)) {
    if (side === 'generator') continue
    figures.add(`${name}: CPU of ${side} for a million readings`, 's', (cores / readingsPerSecond) * MILLION)
  }
}
