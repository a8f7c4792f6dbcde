import type { Condition, Direction, ReadingInput } from '../core/types.ts'

/** Out: beyond the rule. Good: inside it. Between: neither, so the state stays as it is found. */
type Verdict = 'out' | 'between' | 'good'

/** What a judge may look at: the readings that its rule sees, in order, and which of them followed without a gap. */
export interface Series {
  readings: readonly ReadingInput[]
  /** Whether the time from the reading before this one is known. False for the first. */
  isKnown: readonly boolean[]
}

/** A condition in the words of a naive reader: everything is looked up in the whole series, nothing is remembered. */
export interface Judge {
  /** Whether a reading says anything to this rule. */
  sees(reading: ReadingInput): boolean
  verdict(series: Series, index: number): Verdict
  /** Index of the reading with which an excursion began that is first found at `index`. */
  beginning(series: Series, index: number): number
  /** Whether an excursion that is out at this reading has gone on for long enough. */
  isDue(found: { confirmedMs: number; count: number; isDoorOpen: boolean }): boolean
  /** Good readings in a row, without a gap, that end a raised alert. */
  goodToEnd: number
  /** What the reading adds to the evidence, and whether a higher one is worse. */
  value(series: Series, index: number): number | null
  /** The same of a reading before the one at which it was found. */
  valueBefore(series: Series, index: number): number | null
  isHigherWorse: boolean
  limit: number | null
  /** Whether the time that a reading holds is proven to belong to the excursion. */
  proves(series: Series, index: number): boolean
  /** The same of the time before the reading at which it was found, for rules that look back. */
  provedBefore(series: Series, index: number): boolean
}

const CONFIRM_MS = 600_000
const CONFIRM_DOOR_OPEN_MS = 1_200_000
/** Points above its limit at which a battery is good again. */
const BATTERY_CLEAR = 5
export const PENDING_GAP_MS_MAX = 4 * 3_600_000

/** Null for conditions that are not judged by readings. */
export function judgeOf(condition: Condition): Judge | null {
  switch (condition.type) {
    case 'temperature_above':
    case 'temperature_below':
      return limitJudge(condition)
    case 'temperature_cumulative':
      return cumulativeJudge(condition)
    case 'temperature_n_of_m':
      return nOfMJudge(condition)
    case 'rate_of_change':
      return rateJudge(condition)
    case 'battery_below':
      return batteryJudge(condition.limit)
    case 'sensor_fault':
      return sensorFaultJudge(condition)
    default:
      return null
  }
}

/** Judges of temperature that trigger at once share these. */
const temperatureJudge = {
  proves(this: Judge, series: Series, index: number) {
    return this.verdict(series, index) !== 'good'
  },
  provedBefore(this: Judge, series: Series, index: number) {
    return this.proves(series, index)
  },
  sees: (reading: ReadingInput) => reading.temperatureCenti !== null,
  beginning: (_series: Series, index: number) => index,
  isDue: () => true,
  goodToEnd: 2,
  value: ({ readings }: Series, index: number) => readings[index]?.temperatureCenti ?? null,
  valueBefore(this: Judge, series: Series, index: number) {
    return this.value(series, index)
  },
}

function limitJudge(
  condition: Extract<Condition, { type: 'temperature_above' | 'temperature_below' }>,
): Judge {
  const { limitCenti, hysteresisCenti, inclusive, forMs } = condition
  const sign = condition.type === 'temperature_above' ? 1 : -1
  return {
    ...temperatureJudge,
    verdict(series, index) {
      const beyondCenti = sign * (temperatureAt(series, index) - limitCenti)
      if (beyondCenti > 0 || (inclusive && beyondCenti === 0)) return 'out'
      return beyondCenti <= -hysteresisCenti ? 'good' : 'between'
    },
    isDue({ confirmedMs, isDoorOpen }) {
      return confirmedMs >= (forMs ?? (isDoorOpen ? CONFIRM_DOOR_OPEN_MS : CONFIRM_MS))
    },
    isHigherWorse: sign > 0,
    limit: limitCenti,
  }
}

function cumulativeJudge(condition: Extract<Condition, { type: 'temperature_cumulative' }>): Judge {
  const { limitCenti, totalMs, windowMs } = condition
  const isBeyond = (series: Series, index: number) => isBeyondLimit(condition, temperatureAt(series, index))
  /** Time that the reading held within the window that ends with the reading `index`. */
  const heldMs = (series: Series, holder: number, index: number) => {
    if (!isBeyond(series, holder) || series.isKnown[holder + 1] !== true) return 0
    const windowFromMs = atMs(series, index) - windowMs
    return Math.max(0, atMs(series, holder + 1) - Math.max(atMs(series, holder), windowFromMs))
  }
  const holders = (index: number) => Array.from({ length: index }, (_, holder) => holder)
  return {
    ...temperatureJudge,
    verdict(series, index) {
      const sumMs = holders(index).reduce((sum, holder) => sum + heldMs(series, holder, index), 0)
      return sumMs >= totalMs ? 'out' : 'good'
    },
    beginning: (series, index) => holders(index).find((holder) => heldMs(series, holder, index) > 0) ?? index,
    ...provenBeyond(condition),
    isHigherWorse: condition.direction === 'above',
    limit: limitCenti,
  }
}

function nOfMJudge(condition: Extract<Condition, { type: 'temperature_n_of_m' }>): Judge {
  const { limitCenti, n, m } = condition
  /** The readings beyond the limit among the last M, none of them before a gap that empties. */
  const beyond = (series: Series, index: number) => {
    const found: number[] = []
    for (let at = index; at >= 0 && at > index - m; at -= 1) {
      if (isBeyondLimit(condition, temperatureAt(series, at))) found.unshift(at)
      if (at > 0 && atMs(series, at) - atMs(series, at - 1) > PENDING_GAP_MS_MAX) break
    }
    return found
  }
  return {
    ...temperatureJudge,
    verdict: (series, index) => (beyond(series, index).length >= n ? 'out' : 'good'),
    beginning: (series, index) => beyond(series, index)[0] ?? index,
    ...provenBeyond(condition),
    isHigherWorse: condition.direction === 'above',
    limit: limitCenti,
  }
}

function rateJudge(condition: Extract<Condition, { type: 'rate_of_change' }>): Judge {
  const { deltaCenti, windowMs } = condition
  const sign = condition.direction === 'rising' ? 1 : -1
  const change = (series: Series, from: number, index: number) =>
    sign * (temperatureAt(series, index) - temperatureAt(series, from))
  /** The readings that this one may be compared with, oldest first. */
  const comparable = (series: Series, index: number) => {
    const found: number[] = []
    for (let at = index - 1; at >= 0 && series.isKnown[at + 1] === true; at -= 1) {
      if (atMs(series, index) - atMs(series, at) <= windowMs) found.unshift(at)
    }
    return found
  }
  return {
    ...temperatureJudge,
    verdict: (series, index) =>
      comparable(series, index).some((from) => change(series, from, index) >= deltaCenti) ? 'out' : 'good',
    beginning: (series, index) =>
      comparable(series, index).find((from) => change(series, from, index) >= deltaCenti) ?? index,
    value: (series, index) =>
      Math.max(0, ...comparable(series, index).map((from) => change(series, from, index))),
    provedBefore: () => true,
    valueBefore: () => null,
    isHigherWorse: true,
    limit: deltaCenti,
  }
}

function batteryJudge(limit: number): Judge {
  const battery = ({ readings }: Series, index: number) => readings[index]?.battery ?? Number.NaN
  return {
    ...temperatureJudge,
    sees: (reading) => reading.battery !== null,
    verdict(series, index) {
      if (battery(series, index) < limit) return 'out'
      return battery(series, index) >= limit + BATTERY_CLEAR ? 'good' : 'between'
    },
    goodToEnd: 1,
    value: (series, index) => Math.round(battery(series, index) * 100),
    isHigherWorse: false,
    limit: Math.round(limit * 100),
  }
}

function sensorFaultJudge(condition: Extract<Condition, { type: 'sensor_fault' }>): Judge {
  if (condition.kind === 'fault') {
    return {
      ...temperatureJudge,
      sees: () => true,
      verdict: ({ readings }, index) => (readings[index]?.fault === null ? 'good' : 'out'),
      isDue: ({ confirmedMs }) => confirmedMs >= condition.forMs,
      value: () => null,
      isHigherWorse: true,
      limit: null,
    }
  }
  if (condition.kind === 'stuck') return stuckJudge(condition)
  return jumpJudge(condition.maxStepCenti)
}

function stuckJudge(condition: { forMs: number; minReadings: number }): Judge {
  const verdict = (series: Series, index: number): Verdict => {
    if (index === 0 || temperatureAt(series, index) !== temperatureAt(series, index - 1)) return 'good'
    return atMs(series, index) - atMs(series, index - 1) > PENDING_GAP_MS_MAX ? 'between' : 'out'
  }
  return {
    ...temperatureJudge,
    verdict,
    // The run began with the first of the readings that are the same.
    beginning(series, index) {
      let first = index
      while (verdict(series, first) === 'out') first -= 1
      return first
    },
    isDue: ({ confirmedMs, count }) => confirmedMs >= condition.forMs && count >= condition.minReadings,
    provedBefore: () => true,
    goodToEnd: 1,
    isHigherWorse: true,
    limit: null,
  }
}

function jumpJudge(maxStepCenti: number): Judge {
  const stepCenti = (series: Series, index: number) =>
    Math.abs(temperatureAt(series, index) - temperatureAt(series, index - 1))
  const verdict = (series: Series, index: number): Verdict => {
    if (series.isKnown[index] !== true) return 'between'
    return stepCenti(series, index) > maxStepCenti ? 'out' : 'good'
  }
  return {
    ...temperatureJudge,
    verdict,
    // After a gap there is no step: what the last one said still holds.
    proves(series, index) {
      let step = index
      while (step > 0 && verdict(series, step) === 'between') step -= 1
      return verdict(series, step) === 'out'
    },
    value: (series, index) => (series.isKnown[index] === true ? stepCenti(series, index) : null),
    isHigherWorse: true,
    limit: maxStepCenti,
  }
}

/** Where it is met, and before it was found: only what is beyond the limit itself. */
function provenBeyond(rule: {
  direction: Direction
  limitCenti: number
}): Pick<Judge, 'proves' | 'provedBefore'> {
  const provedBefore = (series: Series, index: number) => isBeyondLimit(rule, temperatureAt(series, index))
  return {
    provedBefore,
    proves(this: Judge, series, index) {
      return this.verdict(series, index) === 'out' && provedBefore(series, index)
    },
  }
}

function isBeyondLimit(rule: { direction: Direction; limitCenti: number }, centi: number): boolean {
  return rule.direction === 'above' ? centi > rule.limitCenti : centi < rule.limitCenti
}

function temperatureAt(series: Series, index: number): number {
  const centi = series.readings[index]?.temperatureCenti
  if (centi === undefined || centi === null) throw new Error(`no temperature at reading ${index}`)
  return centi
}

function atMs(series: Series, index: number): number {
  const reading = series.readings[index]
  if (!reading) throw new Error(`no reading ${index}`)
  return reading.atMs
}
