import { judgeJump, judgeReported, judgeStuck } from './fault.ts'
import type { Doors, Machine, Moment } from './machine.ts'
import { judgeBattery, judgeLimit, percentCenti } from './threshold.ts'
import type { DeviceConfig, ReadingInput, RuleVersion } from './types.ts'
import { judgeWindow } from './windowed.ts'

/** Of a device that has none. */
const INTERVAL_MS = 300_000

/** The newest readings of a device, before the one that is judged. */
export interface Before {
  /** Of the newest reading. */
  atMs: number
  /** Of the newest reading with a temperature. */
  temperatureAtMs: number
  temperatureCenti: number | null
  /** Of the newest reading with a battery. */
  batteryAtMs: number
}

/** A reading and what it follows. */
export interface Reading {
  input: ReadingInput
  before: Before
  /** Time without a reading is unknown if it is longer than this. */
  gapMs: number
  doors: Doors
  /** As the series of temperatures sees it; null = it has none. */
  temperature: Moment | null
}

export function readingAfter(
  before: Before,
  input: ReadingInput,
  judging: Doors & { device: DeviceConfig },
): Reading {
  const reading: Reading = {
    input,
    before,
    gapMs: 2 * intervalAt(judging.device, input.atMs),
    doors: judging,
    temperature: null,
  }
  const { temperatureCenti: centi } = input
  if (centi !== null) {
    reading.temperature = momentOf(reading, centi, before.temperatureAtMs, before.temperatureCenti)
  }
  return reading
}

function intervalAt({ intervalMs }: DeviceConfig, atMs: number): number {
  let value = intervalMs[0]?.value ?? INTERVAL_MS
  for (let index = 1; index < intervalMs.length; index += 1) {
    const next = intervalMs[index]
    if (!next || next.fromMs > atMs) break
    value = next.value
  }
  return value
}

function momentOf(
  { input, gapMs, doors }: Reading,
  centi: number,
  previousAtMs: number,
  previousCenti: number | null,
): Moment {
  const elapsedMs = input.atMs - previousAtMs
  return { input, elapsedMs, isGap: elapsedMs > gapMs, centi, previousCenti, doors }
}

/**
 * Lets one version of a rule judge a reading. A reading without what the rule is about says nothing to it: it neither holds
 * nor ends anything, and the time over it counts as if it were not there. Returns when a raised alert ended, else null.
 */
export function judge(machine: Machine, version: RuleVersion, reading: Reading): number | null {
  const { condition } = version
  const { input, before, temperature } = reading
  switch (condition.type) {
    case 'temperature_above':
    case 'temperature_below':
      return temperature && judgeLimit(machine, condition, version, temperature)
    case 'temperature_cumulative':
    case 'temperature_n_of_m':
    case 'rate_of_change':
      return temperature && judgeWindow(machine, condition, version, temperature)
    case 'battery_below': {
      if (input.battery === null) return null
      const moment = momentOf(reading, percentCenti(input.battery), before.batteryAtMs, null)
      return judgeBattery(machine, condition, version, moment)
    }
    case 'sensor_fault':
      if (condition.kind === 'stuck')
        return temperature && judgeStuck(machine, condition, version, temperature)
      if (condition.kind === 'jump') return temperature && judgeJump(machine, condition, version, temperature)
      return judgeReported(machine, condition, version, momentOf(reading, 0, before.atMs, null))
    default:
      return null
  }
}
