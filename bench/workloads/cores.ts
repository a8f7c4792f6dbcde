import type { Usage } from '../processes/usage-meter.ts'
import type { FigureSet } from '../report/figures.ts'

/** What each side of a measurement took of the machine. */
export function addCores(figures: FigureSet, name: string, { cores }: Usage): void {
  for (const [side, value] of Object.entries(cores)) figures.add(`${name}: CPU of ${side}`, 'cores', value)
}
