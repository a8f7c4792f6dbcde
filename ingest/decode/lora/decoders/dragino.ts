import type { JsonRecord } from '../../value.ts'

type Fields = Record<string, unknown>

const SENSOR_PORT = 2
const DOOR_PORT = 10
const RECORD_BYTES = 11
/** The lower 14 bits of the first two bytes. */
const BATTERY_MASK = 0x3fff
const DOOR_BIT = 0x80
/** Of the third byte: a door, or a door and a leak. */
const DOOR_MODES: ReadonlySet<number> = new Set([1, 3])
/** Of the byte that says what a record is: the reply to a poll of the data log. */
const IS_LOGGED = 0x40
/** Of the same byte: the probe has come off, or the record is sent again as nobody has acknowledged it. */
const IS_DISCONNECTED = 0x80
/** Times from 2015 to 2037 are none of a probe: read as seconds, up to 210 °C is earlier, and `7FFF` of a lost one later. */
const RECORD_SECONDS_MIN = 1_420_070_400
const RECORD_SECONDS_MAX = 2_145_916_800
/** The rest of that byte: what is plugged in. */
const KIND_MASK = 0x3f
/** Of probes in bytes 7 and 8. */
const PROBES: Readonly<Record<number, string>> = { 1: 'TempC_DS', 2: 'TempC_TMP117', 11: 'Ext_TempC_SHT' }
/** Of probes in the place of the battery, with a time behind. */
const TIMED_PROBES: Readonly<Record<number, string>> = { 9: 'TempC_DS', 10: 'TempC_TMP117' }
const LOGGED_PROBES: Readonly<Record<number, string>> = { 1: 'TempC_DS', 2: 'TempC_TMP117', ...TIMED_PROBES }
/** Nothing, an input, light, a voltage, counters. */
const NO_PROBES: ReadonlySet<number> = new Set([0, 4, 5, 6, 7, 8])
/** The number of the probe, in the place of all temperatures. */
const PROBE_ID = 15

/** Dragino LHT65, LHT65N, LDS02 and LTC2, in the fields of the vendor's codecs. Null = another model, port or format. */
export function decodeDragino(bytes: Uint8Array, makeText: string, fPort: number): JsonRecord | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (/lds02/.test(makeText)) return fPort === DOOR_PORT ? decodeDoor(view) : null
  if (fPort !== SENSOR_PORT || bytes.length < RECORD_BYTES) return null
  if (/ltc2/.test(makeText)) return decodeLtc2(view)
  return /lht65/.test(makeText) ? decodeLht65(view) : null
}

function decodeDoor(view: DataView): JsonRecord | null {
  const mode = view.byteLength >= 3 ? view.getUint8(2) : undefined
  if (mode === undefined || !DOOR_MODES.has(mode)) return null
  return { BAT_V: battery(view), DOOR_OPEN_STATUS: (view.getUint8(0) & DOOR_BIT) === 0 ? 0 : 1 }
}

function battery(view: DataView): number {
  return (view.getUint16(0) & BATTERY_MASK) / 1_000
}

/** Ext 1: hundredths of °C; 2: tenths; 3: resistances, of which nothing is stored. */
function decodeLtc2(view: DataView): JsonRecord | null {
  const status = view.getUint8(2)
  if ((status & IS_LOGGED) !== 0) return null
  const parts = { 1: 100, 2: 10 }[status & 0x0f]
  const decoded: Fields = { BatV: battery(view), Systimestamp: view.getUint32(7) }
  if (parts === undefined) return decoded
  return {
    ...decoded,
    Temp_Channel1: view.getInt16(3) / parts,
    Temp_Channel2: view.getInt16(5) / parts,
  }
}

function decodeLht65(view: DataView): JsonRecord | null {
  const ext = view.getUint8(6)
  if ((ext & IS_LOGGED) !== 0 || isSentAgain(view)) return decodeLog(view)
  const kind = ext & KIND_MASK
  if (view.byteLength !== RECORD_BYTES) return null
  if (kind === PROBE_ID) return { BatV: battery(view) }
  const timedProbe = TIMED_PROBES[kind]
  const probe = PROBES[kind]
  if (probe === undefined && timedProbe === undefined && !NO_PROBES.has(kind)) return null
  const decoded: Fields = {}
  readBuiltIn(view, 0, decoded)
  if (timedProbe !== undefined) {
    decoded[timedProbe] = view.getInt16(0) / 100
    decoded['Systimestamp'] = view.getUint32(7)
  } else {
    decoded['BatV'] = battery(view)
  }
  if (probe !== undefined) decoded[probe] = view.getInt16(7) / 100
  if ((ext & IS_DISCONNECTED) !== 0 && !NO_PROBES.has(kind)) decoded['No_connect'] = 'Sensor no connection'
  return decoded
}

function isSentAgain(view: DataView): boolean {
  const seconds = view.getUint32(7)
  const isTime = seconds >= RECORD_SECONDS_MIN && seconds < RECORD_SECONDS_MAX
  return (view.getUint8(6) & IS_DISCONNECTED) !== 0 && isTime
}

/**
 * Records of 11 bytes, each with its own time, and a probe in the place of the battery; zeros where there was nothing in
 * the time asked for. Null = records of another kind.
 */
function decodeLog(view: DataView): JsonRecord | null {
  const history: Fields[] = []
  for (let at = 0; at + RECORD_BYTES <= view.byteLength; at += RECORD_BYTES) {
    const timestamp = view.getUint32(at + 7)
    if (timestamp === 0) continue
    const record: Fields = { timestamp }
    const kind = view.getUint8(at + 6) & KIND_MASK
    const probe = LOGGED_PROBES[kind]
    if (probe === undefined && !NO_PROBES.has(kind)) return null
    if (probe !== undefined) record[probe] = view.getInt16(at) / 100
    readBuiltIn(view, at, record)
    history.push(record)
  }
  return { history }
}

function readBuiltIn(view: DataView, at: number, into: Fields): void {
  into['TempC_SHT'] = view.getInt16(at + 2) / 100
  into['Hum_SHT'] = (view.getUint16(at + 4) & 0x0fff) / 10
}
