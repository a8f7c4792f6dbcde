import type { JsonRecord } from '../../value.ts'

/** Length of each type's value in bytes (Elsys payload, https://www.elsys.se/en/elsys-payload/). */
const LENGTHS: Readonly<Record<number, number>> = {
  1: 2,
  2: 1,
  3: 3,
  4: 2,
  5: 1,
  6: 2,
  7: 2,
  8: 2,
  9: 6,
  10: 2,
  11: 4,
  12: 2,
  13: 1,
  14: 2,
  15: 1,
  16: 4,
  17: 1,
  18: 1,
  19: 65,
  20: 4,
  21: 2,
  22: 2,
  23: 4,
  24: 2,
  25: 2,
  26: 1,
  27: 4,
  28: 2,
  61: 4,
}

/** Elsys ERS, ELT and EMS: types and values, in the fields of the vendor's codec. Null = another format. */
export function decodeElsys(bytes: Uint8Array): JsonRecord | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const decoded: Record<string, number> = {}
  for (let at = 0; at < bytes.length; ) {
    const type = view.getUint8(at)
    const length = LENGTHS[type]
    if (length === undefined || at + 1 + length > bytes.length) return null
    const from = at + 1
    if (type === 1) decoded['temperature'] = view.getInt16(from) / 10
    if (type === 2) decoded['humidity'] = view.getUint8(from)
    if (type === 7) decoded['vdd'] = view.getUint16(from)
    if (type === 12) decoded['externalTemperature'] = view.getInt16(from) / 10
    if (type === 25) decoded['externalTemperature2'] ??= view.getInt16(from) / 10
    at = from + length
  }
  return decoded
}
