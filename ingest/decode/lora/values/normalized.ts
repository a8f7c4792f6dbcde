import type { JsonRecord } from '../../value.ts'
import { recordOf } from '../fields.ts'
import type { Make } from '../make.ts'
import { readOwnTime } from '../time.ts'
import { percentOfVolts } from './battery.ts'
import { doorState } from './doors.ts'
import { temperatureFault } from './sentinels.ts'
import { type Measures, noMeasures } from './types.ts'

/** `battery` is in volts by the schema; this name stands in codecs that break it. */
const BATTERY_FIELDS = ['battery', 'battVolt'] as const

/**
 * What a normalized payload says (schema: lib/payload.json of TheThingsNetwork/lorawan-devices), a moment for each time
 * in it. Codecs break the schema, so a field that is not plausible is passed over: the decoded payload may say it better.
 */
export function readNormalized(measurements: readonly JsonRecord[], make: Make): Measures[] {
  const byTime = Map.groupBy(measurements, ({ time }) => readOwnTime(time))
  return [...byTime].map(([atMs, group]) => {
    const measures = { ...noMeasures(atMs !== null && byTime.size > 1), atMs }
    for (const measurement of group) takeMeasurement(measures, measurement, make)
    return measures
  })
}

function takeMeasurement(measures: Measures, measurement: JsonRecord, make: Make): void {
  const { temperature, relativeHumidity } = recordOf(measurement['air'])
  if (typeof temperature === 'number' && temperatureFault(temperature, make.makeText) === null) {
    measures.probes = [{ channel: 'internal', field: null, temperature, fault: null, isAbsent: false }]
  }
  if (isPercent(relativeHumidity)) measures.humidity = relativeHumidity
  for (const field of BATTERY_FIELDS) {
    const battery = measurement[field]
    if (typeof battery === 'number') measures.battery = percentOfVolts(battery, make) ?? measures.battery
  }
  const { contactState } = recordOf(measurement['action'])
  if (typeof contactState === 'string') measures.door = doorState(contactState) ?? measures.door
}

function isPercent(value: unknown): value is number {
  return typeof value === 'number' && value >= 0 && value <= 100
}
