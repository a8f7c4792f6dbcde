/** Where values lie on an axis, from 0 (left, below) to 1, and what is written along it. */
export interface Axis {
  place(value: number): number
  ticks: readonly { at: number; label: string }[]
}

const TICKS = 6
const NICE_STEPS = [1, 2, 5, 10]
/** With fewer decades, what lies between them is named too. */
const FEW_DECADES = 2

/** From zero to a little above `highest`, or to one, in round steps. */
export function linearAxis(highest: number): Axis {
  const max = highest > 0 ? highest : 1
  const step = niceStep(max / TICKS)
  const steps = Math.ceil(max / step)
  const top = steps * step
  return {
    place: (value) => value / top,
    ticks: Array.from({ length: steps + 1 }, (_, index) => ({
      at: index / steps,
      label: numberText(index * step),
    })),
  }
}

function niceStep(least: number): number {
  const power = 10 ** Math.floor(Math.log10(least))
  const factor = NICE_STEPS.find((nice) => nice * power >= least) ?? 10
  return factor * power
}

/** Whole decades around the values, all above zero; a value below them lies at the bottom. */
export function logAxis(min: number, max: number): Axis {
  const bottom = Math.floor(Math.log10(min))
  const top = Math.max(Math.ceil(Math.log10(max)), bottom + 1)
  const decades = top - bottom
  const place = (value: number) => (value <= 0 ? 0 : Math.max((Math.log10(value) - bottom) / decades, 0))
  const factors = decades <= FEW_DECADES ? [1, 2, 5] : [1]
  const values = Array.from({ length: decades + 1 }, (_, index) =>
    factors.map((factor) => factor * 10 ** (bottom + index)),
  ).flat()
  const inside = values.map((value) => ({ at: place(value), label: numberText(value) }))
  return { place, ticks: inside.filter(({ at }) => at <= 1) }
}

const MAXIMUM_GAP = 0.5
const NINES = [50, 90, 99, 99.9, 99.99, 99.999, 99.9999]

/**
 * Percentiles as HDR histograms are drawn: each nine more takes as much room as the one before it. The maximum, which
 * has endless nines, stands behind the last of them.
 */
export function ninesAxis(percentiles: readonly number[]): Axis {
  const nines = (percentile: number) => Math.log10(100 / (100 - percentile))
  const finite = percentiles.filter((percentile) => percentile < 100)
  const end = nines(Math.max(...finite, 90)) + MAXIMUM_GAP
  const place = (percentile: number) => (percentile >= 100 ? 1 : nines(percentile) / end)
  const within = NINES.filter((percentile) => nines(percentile) <= end - MAXIMUM_GAP)
  return {
    place,
    ticks: [
      ...within.map((percentile) => ({ at: place(percentile), label: `p${percentile}` })),
      { at: 1, label: 'max' },
    ],
  }
}

/** Percentiles from 0 to 100, evenly. */
export function percentileAxis(): Axis {
  return {
    place: (percentile) => percentile / 100,
    ticks: [0, 25, 50, 75, 100].map((percentile) => ({ at: percentile / 100, label: `p${percentile}` })),
  }
}

function numberText(value: number): string {
  return value.toLocaleString('en-US', { maximumSignificantDigits: 6 })
}
