import type { Fault } from '../../../payloads.ts'

/** The range of the column, as for readings of hubs. */
const CELSIUS_MIN = -100
const CELSIUS_MAX = 200

/** What a DS18B20 holds before its first conversion. */
const POWER_ON_CELSIUS = 85
/** Models that measure with platinum or a thermocouple: of them 85 °C is a temperature like any other. */
const WITHOUT_DS18B20 = /pt-?100|\brtd\b|ltc2|thermocouple|\br718(?:b|c[jktre])/

/**
 * Numbers that stand for "there is no probe": the largest and smallest 16-bit values in hundredths and tenths, all bits
 * set, what drivers of 1-Wire say of a bus without an answer, and the end of the scale of an 8-bit field.
 */
const NO_PROBE_CELSIUS: ReadonlySet<number> = new Set([
  327.67, -327.68, 3276.7, -3276.8, 655.35, 6553.5, -127, 127.94, -327.67, -3276.7,
])

/**
 * What a temperature stands for when it is none: each device names "no probe" by a number of its own. 85 °C to the
 * hundredth is taken for the power-on value of a probe, unless the words for the model (`makeText`) name one that has no
 * such probe: a real one passes by, a dead one stays.
 */
export function temperatureFault(celsius: number, makeText: string): Fault | null {
  if (NO_PROBE_CELSIUS.has(roundTo(celsius, 100))) return 'no_probe'
  if (roundTo(celsius, 100) === POWER_ON_CELSIUS && !WITHOUT_DS18B20.test(makeText)) return 'other'
  if (!(celsius >= CELSIUS_MIN && celsius <= CELSIUS_MAX)) return 'out_of_range'
  return null
}

/** What codecs write in the place of a number: Dragino `NULL`, Milesight `over_range` and `collection_err`, Comtac `INVALID`. */
const FAULT_WORDS: readonly (readonly [Fault, RegExp])[] = [
  ['no_probe', /^null$|no[ _-]?(?:probe|sensor|connect)|disconnect/i],
  ['out_of_range', /range/i],
  ['other', /^nan$|invalid|err/i],
]

/** What a word in the place of a temperature says; null when it is none of those. */
export function faultOfWord(word: string): Fault | null {
  return FAULT_WORDS.find(([, words]) => words.test(word))?.[0] ?? null
}

function roundTo(value: number, parts: number): number {
  return Math.round(value * parts) / parts
}
