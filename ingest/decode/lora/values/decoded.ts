import { isAbsent, isRecord, type JsonRecord } from '../../value.ts'
import type { Make } from '../make.ts'
import { readOwnTime } from '../time.ts'
import { percentOfLevel, percentOfVolts, percentOfWords } from './battery.ts'
import { doorState } from './doors.ts'
import { type Meaning, meaningOf } from './names.ts'
import { quirksOf } from './quirks.ts'
import { faultOfWord, temperatureFault } from './sentinels.ts'
import { type Measures, noMeasures } from './types.ts'
import { celsiusOf } from './units.ts'

/** Nobody's codec has more; what comes from a network server may be anything. */
const FIELDS_MAX = 200
const PROBES_MAX = 32

/** What one record of a decoded payload says, by the names of its fields. */
export function readDecoded(record: JsonRecord, make: Make, isHistory = false): Measures {
  const measures = noMeasures(isHistory)
  const quirks = quirksOf(record, make)
  for (const field of Object.keys(record).slice(0, FIELDS_MAX)) {
    const meaning = quirks.meanings.get(field) ?? meaningOf(field)
    if (meaning === undefined || quirks.ignored.has(field)) continue
    for (const [name, value] of fieldsOf(field, record[field])) {
      if (!isAbsent(value)) takeField(measures, { meaning, field: name, value, make })
    }
  }
  if (quirks.fault !== null) markProbe(measures, quirks.fault)
  return measures
}

const CHANNEL = /^\d{1,3}$/

/** ChirpStack's Cayenne LPP has a record by channel, `{"temperatureSensor": {"1": 4.4, "2": -18}}`: each is a field. */
function fieldsOf(field: string, value: unknown): (readonly [field: string, value: unknown])[] {
  if (!isRecord(value)) return [[field, value]]
  const channels = Object.keys(value).filter((key) => CHANNEL.test(key))
  return channels.length === 0 ? [[field, value]] : channels.map((key) => [`${field}.${key}`, value[key]])
}

interface Field {
  meaning: Meaning
  field: string
  value: unknown
  make: Make
}

function takeField(measures: Measures, { meaning, field, value, make }: Field): void {
  const { plain, unit } = unwrap(field, value)
  switch (meaning.says) {
    case 'temperature':
      takeTemperature(measures, { meaning, field, plain, unit, makeText: make.makeText })
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

/** Comtac's lists begin with the present value, and Elsys has one of its second to last probe. Of others it is not known. */
const LISTS: ReadonlySet<string> = new Set(['tempNOW', 'humNOW', 'externalTemperature2'])

/** Decentlab and Sensative write `{"value": 21.9, "unit": "°C"}`. */
function unwrap(field: string, value: unknown): { plain: unknown; unit: unknown } {
  if (isRecord(value)) return { plain: numberOrSame(value['value']), unit: value['unit'] }
  const isList = Array.isArray(value) && (value.length === 1 || LISTS.has(field))
  return { plain: numberOrSame(isList ? value[0] : value), unit: undefined }
}

const NUMBER_TEXT = /^-?\d{1,9}(?:\.\d{1,9})?$/

/** A number that is written as a text is a number: older codecs of Dragino have `"TempC_DS": "26.93"`. */
function numberOrSame(value: unknown): unknown {
  return typeof value === 'string' && NUMBER_TEXT.test(value) ? Number(value) : value
}

interface TemperatureField {
  meaning: Extract<Meaning, { says: 'temperature' }>
  field: string
  plain: unknown
  unit: unknown
  makeText: string
}

function takeTemperature(
  { probes }: Measures,
  { meaning, field, plain, unit, makeText }: TemperatureField,
): void {
  if (probes.length >= PROBES_MAX) return
  const origin = { channel: meaning.channel, field, isAbsent: false }
  if (typeof plain === 'number') {
    const celsius = celsiusOf(plain, meaning.unit ?? 'celsius', unit)
    const fault = temperatureFault(celsius, makeText)
    probes.push({ ...origin, temperature: fault === null ? celsius : null, fault })
    return
  }
  const fault = typeof plain === 'string' ? faultOfWord(plain) : null
  if (fault !== null) probes.push({ ...origin, temperature: null, fault })
}

function batteryOf(
  value: unknown,
  unit: unknown,
  { meaning, make }: Pick<Field, 'meaning' | 'make'>,
): number | null {
  if (typeof value === 'string') return percentOfWords(value, make)
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
