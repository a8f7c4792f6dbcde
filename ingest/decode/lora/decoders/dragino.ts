import type { JsonRecord } from '../../value.ts'

type Fields = Record<string, unknown>

const SENSOR_PORT = 2
const DOOR_PORT = 10
const RECORD_BYTES = 11
/** The lower 14 bits of the first two bytes. */
const BATTERY_MASK = 0x3fff
const DOOR_BIT = 0x80
/** Of the byte that says what a record is: the reply to a poll of the data log. */
const IS_LOGGED = 0x40
const IS_DISCONNECTED = 0x80

/** Dragino LHT65, LHT65N, LDS02 and LTC2, in the fields of the vendor's codecs. Null = another model, port or format. */
export function decodeDragino(bytes: Uint8Array, makeText: string, fPort: number): JsonRecord | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (/lds02/.test(makeText)) return fPort === DOOR_PORT ? decodeDoor(view) : null
  if (fPort !== SENSOR_PORT || bytes.length < RECORD_BYTES) return null
  if (/ltc2/.test(makeText)) return decodeLtc2(view)
  return /lht65/.test(makeText) ? decodeLht65(view) : null
}

function decodeDoor(view: DataView): JsonRecord | null {
  const isDoor = view.byteLength >= 3 && view.getUint8(2) === 1
  if (!isDoor) return null
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
  if ((ext & IS_LOGGED) !== 0) return decodeLog(view)
  if (view.byteLength !== RECORD_BYTES) return null
  const kind = ext & 0x0f
  const decoded: Fields = kind === 9 ? {} : { BatV: battery(view) }
  if ((ext & IS_DISCONNECTED) !== 0) decoded['No_connect'] = 'Sensor no connection'
  if (kind !== 0x0f) readBuiltIn(view, 0, decoded)
  if (kind === 1) decoded['TempC_DS'] = view.getInt16(7) / 100
  if (kind === 2) decoded['TempC_TMP117'] = view.getInt16(7) / 100
  if (kind === 9)
    Object.assign(decoded, { TempC_DS: view.getInt16(0) / 100, Systimestamp: view.getUint32(7) })
  return decoded
}

/** Records of 11 bytes, each with its own time; zeros where there was nothing in the time asked for. */
function decodeLog(view: DataView): JsonRecord {
  const history: Fields[] = []
  for (let at = 0; at + RECORD_BYTES <= view.byteLength; at += RECORD_BYTES) {
    const timestamp = view.getUint32(at + 7)
    if (timestamp === 0) continue
    const record: Fields = { timestamp }
    const kind = view.getUint8(at + 6) & 0x0f
    if (kind === 1 || kind === 2 || kind === 9) record['TempC_DS'] = view.getInt16(at) / 100
    readBuiltIn(view, at, record)
    history.push(record)
  }
  return { history }
}

function readBuiltIn(view: DataView, at: number, into: Fields): void {
  into['TempC_SHT'] = view.getInt16(at + 2) / 100
  into['Hum_SHT'] = (view.getUint16(at + 4) & 0x0fff) / 10
}
