import { isRecord, type JsonRecord } from '../../value.ts'
import type { Make } from '../make.ts'
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
/** Netvox's reed switches: 1 is open by the user manual of R313A, and taken for so of its kin R311A and R718F. */
const NETVOX_DOORS = /^R(?:311A|313A|718F)\b/

/** What is known of the vendors' records beyond their names; see docs/lorawan.md. */
export function quirksOf(record: JsonRecord, { vendor, makeText }: Make): Quirks {
  // MClimate HT: it says of its thermistor whether there is one.
  if (record['thermistorProperlyConnected'] === false) {
    return { ...NONE, fault: { channel: 'external', isAbsent: true } }
  }
  // Dragino LHT65: "No external sensor" is a setting; "Sensor no connection" is a probe that has come off.
  if (typeof record['No_connect'] === 'string' && isOfProbe(record))
    return { ...NONE, fault: { channel: 'external', isAbsent: false } }
  if ('Door_status' in record && ('Work_mode' in record || 'EXTI_Trigger' in record)) {
    return boardQuirks(record, makeText)
  }
  if (typeof record['Device'] === 'string' && NETVOX_DOORS.test(record['Device'])) {
    return { ...NONE, meanings: new Map([['OnOff', DOOR]]) }
  }
  // Browan's door sensor says `status`, which is something else of its others; 1 is taken for open, as of its later DW10.
  if (vendor === 'browan' && makeText.includes('tbdw100')) {
    return { ...NONE, meanings: new Map([['status', DOOR]]) }
  }
  // Sensative Strips: true is closed in `{"door": {"value": ...}}` of vendor/sensative/strips.js.
  if ((vendor === 'sensative' || 'historySeqNr' in record) && isRecord(record['door']))
    return { ...NONE, meanings: new Map([['door', CLOSED]]) }
  return NONE
}

/** An LHT65 says of its light sensor, counter or input too that it is not connected: then its own temperature is good. */
function isOfProbe(record: JsonRecord): boolean {
  const kind = record['Ext_sensor'] ?? record['Work_mode']
  return typeof kind !== 'string' || /temp|ds18b20|tmp117|sht/i.test(kind)
}

/**
 * Dragino's LSN50 boards, and D20 to D23: `Door_status` is the level of a pin, of which a board with a probe has nothing
 * to say. A probe that is not connected reads exactly 0 beside a sensor on the I2C bus: 0 would pass for a good
 * refrigerator. An S31 is sold with that sensor alone.
 */
function boardQuirks(record: JsonRecord, makeText: string): Quirks {
  const isUnread = record['TempC1'] === 0 && typeof record['TempC_SHT'] === 'number'
  return {
    ignored: new Set(['Door_status']),
    meanings: new Map(),
    fault: isUnread ? { channel: 'external', isAbsent: /s31/.test(makeText) } : null,
  }
}
