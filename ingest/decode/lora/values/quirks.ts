import { isRecord, type JsonRecord } from '../../value.ts'
import type { Vendor } from '../make.ts'
import type { Meaning } from './names.ts'

/** Where the fields of a record mean something else than their names say. */
interface Quirks {
  ignored: ReadonlySet<string>
  meanings: ReadonlyMap<string, Meaning>
  /** A probe that another field tells of: it is not there. */
  fault: { channel: string; isAbsent: boolean } | null
}

const DOOR: Meaning = { says: 'door' }
const CLOSED: Meaning = { says: 'closed' }
const NONE: Quirks = { ignored: new Set(), meanings: new Map(), fault: null }
/** Netvox's reed switches: https://www.netvox.com.tw, user manuals of R311A, R313A and R718F: 1 is open. */
const NETVOX_DOORS = /^R(?:311A|313A|718F)\b/

/** What is known of the vendors' records beyond their names; see docs/lorawan.md. */
export function quirksOf(record: JsonRecord, vendor: Vendor | null): Quirks {
  // MClimate HT: it says of its thermistor whether there is one.
  if (record['thermistorProperlyConnected'] === false) {
    return { ...NONE, fault: { channel: 'external', isAbsent: true } }
  }
  // Dragino LHT65: "No external sensor" is a setting; "Sensor no connection" is a probe that has come off.
  if (typeof record['No_connect'] === 'string')
    return { ...NONE, fault: { channel: 'external', isAbsent: false } }
  if (typeof record['Work_mode'] === 'string' && 'Door_status' in record) return boardQuirks(record)
  if (typeof record['Device'] === 'string' && NETVOX_DOORS.test(record['Device'])) {
    return { ...NONE, meanings: new Map([['OnOff', DOOR]]) }
  }
  // Sensative Strips: true is closed in `{"door": {"value": ...}}` of vendor/sensative/strips.js.
  if (vendor === 'sensative' && isRecord(record['door']))
    return { ...NONE, meanings: new Map([['door', CLOSED]]) }
  return NONE
}

/**
 * Dragino's LSN50 boards: `Door_status` is the level of a pin, of which a board with a probe has nothing to say. A probe
 * that is not connected reads exactly 0 beside a sensor on the I2C bus: 0 would pass for a good refrigerator.
 */
function boardQuirks(record: JsonRecord): Quirks {
  const isUnread = record['TempC1'] === 0 && typeof record['TempC_SHT'] === 'number'
  return {
    ignored: new Set(['Door_status']),
    meanings: new Map(),
    fault: isUnread ? { channel: 'external', isAbsent: false } : null,
  }
}
