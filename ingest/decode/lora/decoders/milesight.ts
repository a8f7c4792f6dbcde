import type { JsonRecord } from '../../value.ts'

/** A channel's value: its bytes behind channel and type, and the fields that it becomes. */
interface Channel {
  length: number
  read: (view: DataView, at: number, into: Fields) => void
  /** Whether a value is none of this meaning: it is that of another model. */
  isOther?: (view: DataView, at: number) => boolean
}
type Fields = Record<string, unknown>

const tenths = (field: string, length = 2): Channel => ({
  length,
  read: (view, at, into) => {
    into[field] = view.getInt16(at, true) / 10
  },
})
const byte = (field: string, words?: readonly [string, string]): Channel => ({
  length: 1,
  read: (view, at, into) => {
    const value = view.getUint8(at)
    into[field] = words ? words[value === 0 ? 0 : 1] : value
  },
})
const skipped = (length: number): Channel => ({ length, read: () => {} })
const DOOR_WORDS = ['closed', 'open'] as const
/** Of some models 0xFFFF stands for a sensor that cannot be read, 0xFFFD for a temperature out of range. */
const NO_TEMPERATURES: readonly number[] = [0xffff, 0xfffd]

/** What Milesight's battery sensors have in common (https://github.com/Milesight-IoT/SensorDecoders). */
const COMMON: Readonly<Record<number, Channel>> = {
  373: byte('battery'),
  65281: skipped(1),
  65289: skipped(2),
  65290: skipped(2),
  65291: skipped(1),
  65295: skipped(1),
  65302: skipped(8),
  65534: skipped(1),
  65535: skipped(2),
}
const HUMIDITY: Channel = {
  length: 1,
  read: (view, at, into) => {
    into['humidity'] = view.getUint8(at) / 2
  },
}
/**
 * What means the same in every model. Others do not: `03 00` is a door or a motion, `04 00` a door or a tamper contact,
 * `04 67` a second probe or the target of a thermostat. `83 67` is a temperature with an alarm.
 */
const ANY: Readonly<Record<number, Channel>> = {
  ...COMMON,
  871: tenths('temperature'),
  33639: tenths('temperature', 3),
  1128: HUMIDITY,
}
const exceptErrors = (channel: Channel): Channel => ({
  ...channel,
  isOther: (view, at) => NO_TEMPERATURES.includes(view.getUint16(at, true)),
})
/** Of a device of which only the make is known: what may be no measurement in its model is left to a codec. */
const UNSURE: Readonly<Record<number, Channel>> = {
  ...ANY,
  871: exceptErrors(tenths('temperature')),
  33639: exceptErrors(tenths('temperature', 3)),
  1128: { ...HUMIDITY, isOther: (view, at) => view.getUint8(at) > 200 },
}
/** EM300, EM320 and EM500-PT100. */
const EM: Readonly<Record<number, Channel>> = {
  ...ANY,
  1536: byte('magnet_status', DOOR_WORDS),
  1280: skipped(1),
}
/** EM320-TH may have humidity in tenths, and says when its sensor cannot be read. */
const EM320: Readonly<Record<number, Channel>> = {
  ...EM,
  1178: {
    length: 2,
    read: (view, at, into) => {
      into['humidity'] = view.getUint16(at, true) / 10
    },
  },
  45927: {
    length: 2,
    read: (_view, _at, into) => {
      into['temperature'] = 'collection_err'
    },
  },
  46184: skipped(2),
  46234: skipped(2),
}
const TS: Readonly<Record<number, Channel>> = {
  ...COMMON,
  871: tenths('temperature_chn1'),
  33639: tenths('temperature_chn1', 3),
  37847: tenths('temperature_chn1', 5),
  768: byte('magnet_chn1', DOOR_WORDS),
  1127: tenths('temperature_chn2'),
  33895: tenths('temperature_chn2', 3),
  38103: tenths('temperature_chn2', 5),
  1024: byte('magnet_chn2', DOOR_WORDS),
}
const WS301: Readonly<Record<number, Channel>> = {
  ...COMMON,
  768: byte('door', DOOR_WORDS),
  1024: skipped(1),
}

interface Model {
  channels: Readonly<Record<number, Channel>>
  /** Bytes of a record that the device has kept, behind its four bytes of time; 0 = it keeps none. */
  historyBytes: number
  readHistory: (view: DataView, at: number, into: Fields) => void
  /** Whether a record is of another format, of a later version of the device. */
  isOther?: (view: DataView, at: number) => boolean
}

/** The first whose name stands in the device's profile; `em3` and `em5` models differ in what they keep. */
const MODELS: readonly (readonly [RegExp, Model])[] = [
  [/ts30[12]/, { channels: TS, historyBytes: 5, readHistory: readTsHistory, isOther: isLaterTsHistory }],
  [/ws301/, { channels: WS301, historyBytes: 0, readHistory: () => {} }],
  [/em300-?_?mcs/, { channels: EM, historyBytes: 4, readHistory: readMcsHistory }],
  [/em320/, { channels: EM320, historyBytes: 3, readHistory: readThHistory }],
  [/em500-?_?pt100/, { channels: EM, historyBytes: 2, readHistory: readTemperature }],
  [/em300/, { channels: EM, historyBytes: 4, readHistory: readThHistory }],
]
/** Of a device of which only the make is known. What it has kept is in the way of its model. */
const UNNAMED: Model = { channels: UNSURE, historyBytes: 0, readHistory: () => {}, isOther: () => true }
/** Milesight's names of models: one that is named and not in the list may use the same channels for something else. */
const NAMES_A_MODEL = /(?<![a-z0-9])(?:am|at|ct|ds|em|fr|ft|gs|hl|sg|td|ts|uc|vs|wp|ws|wt|wts)[ _-]?\d{2,3}/
const HISTORY = 0x20ce
const TIME_BYTES = 4

/**
 * Milesight EM300, EM320, EM500-PT100, WS301 and TS30x, in the fields of the vendor's codecs; of a model that is not named what all
 * of them have in common. Null = another model or format.
 */
export function decodeMilesight(bytes: Uint8Array, makeText: string): JsonRecord | null {
  const model = modelOf(makeText)
  if (!model) return null
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const history: Fields[] = []
  const decoded: Fields = { history }
  for (let at = 0; at < bytes.length; ) {
    if (at + 2 > bytes.length) return null
    const id = view.getUint16(at)
    const from = at + 2
    const channel = model.channels[id]
    const length = id === HISTORY ? TIME_BYTES + model.historyBytes : channel?.length
    if (length === undefined || from + length > bytes.length) return null
    if (id === HISTORY && model.isOther?.(view, from + TIME_BYTES)) return null
    if (channel?.isOther?.(view, from)) return null
    if (id === HISTORY) history.push(readRecord(view, from, model))
    else channel?.read(view, from, decoded)
    at = from + length
  }
  return decoded
}

function modelOf(makeText: string): Model | undefined {
  const named = MODELS.find(([words]) => words.test(makeText))?.[1]
  return named ?? (NAMES_A_MODEL.test(makeText) ? undefined : UNNAMED)
}

function readRecord(view: DataView, at: number, { readHistory }: Model): Fields {
  const record: Fields = { timestamp: view.getUint32(at, true) }
  readHistory(view, at + TIME_BYTES, record)
  return record
}

function readTemperature(view: DataView, at: number, into: Fields): void {
  into['temperature'] = view.getInt16(at, true) / 10
}

function readThHistory(view: DataView, at: number, into: Fields): void {
  readTemperature(view, at, into)
  into['humidity'] = view.getUint8(at + 2) / 2
}

function readMcsHistory(view: DataView, at: number, into: Fields): void {
  readThHistory(view, at, into)
  into['magnet_status'] = DOOR_WORDS[view.getUint8(at + 3) === 0 ? 0 : 1]
}

/** A byte says what each of the two channels holds: 1 to 4 a temperature, 5 and 6 a door, 0 nothing; then two bytes each. */
function readTsHistory(view: DataView, at: number, into: Fields): void {
  const mask = view.getUint8(at)
  readTsValue(view, at + 1, { into, kind: mask >> 4, channel: 'chn1' })
  readTsValue(view, at + 3, { into, kind: mask & 0x0f, channel: 'chn2' })
}

/** Later versions have humidity and temperature of one channel, and -999 for none, -1000 and -1001 for a door, -1002 beyond. */
function isLaterTsHistory(view: DataView, at: number): boolean {
  return [1, 3].some((offset) => {
    const value = view.getInt16(at + offset, true)
    return value <= -999 && value >= -1002
  })
}

function readTsValue(
  view: DataView,
  at: number,
  { into, kind, channel }: { into: Fields; kind: number; channel: string },
): void {
  const value = view.getInt16(at, true)
  if (kind >= 1 && kind <= 4) into[`temperature_${channel}`] = value / 10
  if (kind === 5 || kind === 6) into[`magnet_${channel}`] = DOOR_WORDS[value === 0 ? 0 : 1]
}
