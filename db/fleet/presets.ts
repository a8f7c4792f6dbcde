import type { ConditionInput } from './conditions.ts'

export interface Preset {
  /** Counts up with every change of the conditions; stored with each rule made from the preset. */
  version: number
  /** One rule each, and of one type each: the rules have one name, and the type tells them apart. */
  conditions: readonly ConditionInput[]
}

const MINUTE = 60
const HOUR = 3_600

/**
 * Rules that are usual in the field. Where `for_seconds` is not given, the evaluator's own confirm time holds, which is
 * longer while the door is open.
 */
export const PRESETS: Readonly<Record<string, Preset>> = {
  // WHO PQS E006, alarms of vaccine fridges: above +8 °C for 10 hours, at -0.5 °C or colder for 1 hour.
  'who-vaccine-fridge': {
    version: 1,
    conditions: [
      { type: 'temperature_above', limit: 8, for_seconds: 10 * HOUR, hysteresis: 0 },
      { type: 'temperature_below', limit: -0.5, for_seconds: HOUR, hysteresis: 0, inclusive: true },
    ],
  },
  // CDC Vaccine Storage and Handling Toolkit: 2 to 8 °C.
  'cdc-vaccine-fridge': {
    version: 1,
    conditions: [
      { type: 'temperature_above', limit: 8, for_seconds: 15 * MINUTE },
      { type: 'temperature_below', limit: 2, for_seconds: 15 * MINUTE },
    ],
  },
  // The same source: -50 to -15 °C.
  'cdc-vaccine-freezer': {
    version: 1,
    conditions: [
      { type: 'temperature_above', limit: -15, for_seconds: 15 * MINUTE },
      { type: 'temperature_below', limit: -50, for_seconds: 15 * MINUTE },
    ],
  },
  // FDA Food Code 3-501.16: 5 °C or colder.
  'food-cold-holding': { version: 1, conditions: [{ type: 'temperature_above', limit: 5 }] },
  'walk-in-cooler': {
    version: 1,
    conditions: [
      { type: 'temperature_above', limit: 5 },
      { type: 'temperature_below', limit: -1 },
    ],
  },
  // Open to customers all day, so it is judged more slowly.
  'display-case': {
    version: 1,
    conditions: [{ type: 'temperature_above', limit: 5, for_seconds: 30 * MINUTE }],
  },
  frozen: { version: 1, conditions: [{ type: 'temperature_above', limit: -15, for_seconds: HOUR }] },
  // FDA Food Code 3-501.16: 57 °C or warmer.
  'hot-holding': {
    version: 1,
    conditions: [{ type: 'temperature_below', limit: 57, for_seconds: 15 * MINUTE }],
  },
  // Cook-chill practice: down to 3 °C within 90 minutes.
  'blast-chiller': {
    version: 1,
    conditions: [{ type: 'temperature_above', limit: 3, for_seconds: 90 * MINUTE }],
  },
}
