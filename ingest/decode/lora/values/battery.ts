import type { Make, Vendor } from '../make.ts'

type Chemistry = 'lithium' | 'lithium_thionyl' | 'lithium_manganese' | 'lithium_iron_pair' | 'alkaline_pair'

/**
 * Volts at rest and what is left, %, in ascending order. Batteries of lithium thionyl chloride keep their voltage until
 * they are nearly empty, so these are steps for "full, worn, soon empty", no measurement.
 */
const CURVES: Record<Chemistry, readonly (readonly [volts: number, percent: number])[]> = {
  // Thionyl chloride or manganese dioxide: low only where both would be.
  lithium: [
    [2.4, 0],
    [2.7, 15],
    [2.9, 40],
    [3.2, 70],
    [3.6, 100],
  ],
  lithium_thionyl: [
    [2.8, 0],
    [3.0, 5],
    [3.3, 20],
    [3.5, 60],
    [3.6, 100],
  ],
  lithium_manganese: [
    [2.4, 0],
    [2.6, 10],
    [2.8, 40],
    [2.9, 70],
    [3.0, 100],
  ],
  lithium_iron_pair: [
    [2.4, 0],
    [2.7, 10],
    [2.8, 25],
    [2.9, 50],
    [3.0, 100],
  ],
  alkaline_pair: [
    [1.8, 0],
    [2.0, 5],
    [2.2, 15],
    [2.4, 35],
    [2.6, 60],
    [3.0, 100],
  ],
}

/** By model where a vendor uses several, the first match counts; the last word is the vendor's. */
const CHEMISTRIES: readonly { vendor: Vendor; model?: RegExp; chemistry: Chemistry }[] = [
  { vendor: 'dragino', model: /lht65|lht52/, chemistry: 'lithium_manganese' },
  { vendor: 'dragino', model: /lds0|lwl0/, chemistry: 'alkaline_pair' },
  { vendor: 'dragino', model: /ltc2/, chemistry: 'lithium_thionyl' },
  { vendor: 'dragino', chemistry: 'lithium' },
  { vendor: 'netvox', model: /r711|r311/, chemistry: 'alkaline_pair' },
  { vendor: 'netvox', chemistry: 'lithium_thionyl' },
  { vendor: 'laird', chemistry: 'lithium_iron_pair' },
  { vendor: 'decentlab', chemistry: 'alkaline_pair' },
  { vendor: 'elsys', chemistry: 'lithium_thionyl' },
  { vendor: 'browan', chemistry: 'lithium_thionyl' },
  { vendor: 'mclimate', chemistry: 'lithium' },
  { vendor: 'tektelic', chemistry: 'lithium' },
]

/** No battery of such a sensor has more; what stands in a field of volts above it is a percentage. */
const VOLTS_MAX = 5
const MILLIVOLTS_MIN = 1_000
const MILLIVOLTS_MAX = VOLTS_MAX * 1_000

/** What is left by a field that should hold volts: some hold millivolts, some a percentage. Null = it cannot be told. */
export function percentOfVolts(value: number, make: Make): number | null {
  if (value >= MILLIVOLTS_MIN) return value <= MILLIVOLTS_MAX ? byCurve(value / 1_000, make) : null
  if (value > VOLTS_MAX) return percent(value)
  return value > 0 ? byCurve(value, make) : null
}

/** What is left by a field that should hold a percentage: some vendors put volts into it. */
export function percentOfLevel(value: number, make: Make): number | null {
  const isVolts = value >= 1.8 && value < VOLTS_MAX && (make.vendor === 'browan' || !isHalf(value))
  return isVolts ? byCurve(value, make) : percent(value)
}

/** The lower end of a class such as `80-100%`: what is certain to be left. */
export function percentOfClass(text: string): number | null {
  const match = /^(\d{1,3})(?:\s*-\s*\d{1,3})?\s*%$/.exec(text.trim())
  return match ? percent(Number(match[1])) : null
}

/** Netvox's codecs write `2.4(low battery)` into the field of volts. */
const LOW_VOLTS = /^(\d{1,2}(?:\.\d{1,3})?)\(low battery\)$/

/** What is left by words: a class, or volts that are called low. */
export function percentOfWords(text: string, make: Make): number | null {
  const volts = LOW_VOLTS.exec(text)?.[1]
  return volts === undefined ? percentOfClass(text) : percentOfVolts(Number(volts), make)
}

/** Levels come in whole or half percents. */
function isHalf(value: number): boolean {
  return Number.isInteger(value * 2)
}

/** Above 100 is another scale (LoRaWAN's own has 255 for "unknown"), of which nothing is known. */
function percent(value: number): number | null {
  return value >= 0 && value <= 100 ? value : null
}

function byCurve(volts: number, { vendor, makeText }: Make): number | null {
  const found = CHEMISTRIES.find(
    (entry) => entry.vendor === vendor && (entry.model === undefined || entry.model.test(makeText)),
  )
  return found ? alongCurve(volts, CURVES[found.chemistry]) : null
}

function alongCurve(volts: number, curve: (typeof CURVES)[Chemistry]): number {
  let [fromVolts, fromPercent] = curve[0] ?? [0, 0]
  if (volts <= fromVolts) return fromPercent
  for (const [toVolts, toPercent] of curve) {
    if (volts <= toVolts) {
      const share = (volts - fromVolts) / (toVolts - fromVolts)
      return Math.round(fromPercent + share * (toPercent - fromPercent))
    }
    ;[fromVolts, fromPercent] = [toVolts, toPercent]
  }
  return fromPercent
}
