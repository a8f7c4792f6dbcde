import type { JsonRecord } from '../../value.ts'
import type { Vendor } from '../make.ts'
import { NETWORK_PORT, type Uplink } from '../types.ts'
import { decodeDragino } from './dragino.ts'
import { decodeElsys } from './elsys.ts'
import { decodeMilesight } from './milesight.ts'

/** What our own decoders make of the bytes of a device, in the fields of its vendor's codec; null where there is none. */
export function decodeBytes({ bytes, makeText, fPort }: Uplink, vendor: Vendor | null): JsonRecord | null {
  if (bytes.length === 0 || fPort === NETWORK_PORT) return null
  switch (vendor) {
    case 'milesight':
      return decodeMilesight(bytes, makeText)
    case 'dragino':
      return decodeDragino(bytes, makeText, fPort)
    case 'elsys':
      return decodeElsys(bytes)
    default:
      return null
  }
}
