import { isAbsent, isRecord, type JsonRecord } from '../../value.ts'
import { readOwnTime } from '../time.ts'
import { type BatteryMake, percentOfClass, percentOfLevel, percentOfVolts } from './battery.ts'
import { doorState } from './doors.ts'
import { type Meaning, meaningOf } from './names.ts'
import { quirksOf } from './quirks.ts'
import { temperatureFault } from './sentinels.ts'
import { type Measures, noMeasures } from './types.ts'
import { celsiusOf } from './units.ts'

/** Nobody's codec has more; what comes from a network server may be anything. */
const FIELDS_MAX = 200

/** What one record of a decoded payload says, by the names of its fields. */
export function readDecoded(record: JsonRecord, make: BatteryMake, isHistory = false): Measures {
  const measures = noMeasures(isHistory)
  const quirks = quirksOf(record, make.vendor)
  for (const field of Object.keys(record).slice(0, FIELDS_MAX)) {
    const meaning = quirks.meanings.get(field) ?? meaningOf(field)
    const value = record[field]
    if (meaning === undefined || quirks.ignored.has(field) || isAbsent(value)) continue
    takeField(measures, { meaning, field, value, make })
  }
  if (quirks.fault !== null) markProbe(measures, quirks.fault)
  return measures
}

interface Field {
  meaning: Meaning
  field: string
  value: unknown
  make: BatteryMake
}

function takeField(measures: Measures, { meaning, field, value, make }: Field): void {
  const { plain, unit } = unwrap(value)
  switch (meaning.says) {
    case 'temperature':
      takeTemperature(measures, { channel: meaning.channel, field, plain, unit })
      break
    case 'humidity':
      if (typeof plain === 'number' && plain >= 0 && plain <= 100) measures.humidity ??= plain
      break
    case 'battery_level':
    case 'battery_volts':
      measures.battery ??= batteryOf(plain, unit, { meaning, make })
      break
    case 'door':
      measures.door ??= doorOf(field, plain)
      break
    case 'closed':
      if (typeof plain === 'boolean' || plain === 0 || plain === 1) measures.door ??= doorState(!plain)
      break
    case 'time':
      measures.atMs ??= readOwnTime(value)
      break
  }
}

/**
 * Decentlab and Sensative write `{"value": 21.9, "unit": "°C"}`, ChirpStack's Cayenne LPP a record by channel, Comtac a
 * list with the present value first.
 */
function unwrap(value: unknown): { plain: unknown; unit: unknown } {
  if (isRecord(value)) {
    const plain = value['value'] ?? Object.values(value).find((part) => typeof part === 'number')
    return { plain, unit: value['unit'] }
  }
  return { plain: Array.isArray(value) ? value[0] : value, unit: undefined }
}

/** What Comtac's and other codecs write in the place of a number that is none. */
const NO_NUMBER = /^(?:invalid|error|nan)$/i

function takeTemperature(
  measures: Measures,
  { channel, field, plain, unit }: { channel: string; field: string; plain: unknown; unit: unknown },
): void {
  if (measures.probes.some((probe) => probe.channel === channel)) return
  const origin = { channel, field, isAbsent: false }
  if (typeof plain === 'number') {
    const celsius = celsiusOf(plain, field, unit)
    const fault = temperatureFault(celsius)
    measures.probes.push({ ...origin, temperature: fault === null ? celsius : null, fault })
  } else if (typeof plain === 'string' && NO_NUMBER.test(plain)) {
    measures.probes.push({ ...origin, temperature: null, fault: 'other' })
  }
}

function batteryOf(
  value: unknown,
  unit: unknown,
  { meaning, make }: Pick<Field, 'meaning' | 'make'>,
): number | null {
  if (typeof value === 'string') return percentOfClass(value)
  if (typeof value !== 'number') return null
  const isVolts = unit === 'V' || unit === 'mV' || (unit !== '%' && meaning.says === 'battery_volts')
  return isVolts ? percentOfVolts(value, make) : percentOfLevel(value, make)
}

/** `state` and `contact` are words of many devices: only a word of a door makes them one. */
function doorOf(field: string, value: unknown): Measures['door'] {
  const isBroad = /^(?:state|contact)$/i.test(field)
  return isBroad && typeof value !== 'string' ? null : doorState(value)
}

function markProbe(measures: Measures, { channel, isAbsent }: { channel: string; isAbsent: boolean }): void {
  const others = measures.probes.filter((probe) => probe.channel !== channel)
  const field = measures.probes.find((probe) => probe.channel === channel)?.field ?? null
  measures.probes = [...others, { channel, field, temperature: null, fault: 'no_probe', isAbsent }]
}
