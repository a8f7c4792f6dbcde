import { decodeBytes } from './decoders/decode-bytes.ts'
import { type Vendor, vendorOf } from './make.ts'
import type { Uplink } from './types.ts'
import { readMoments } from './values/history.ts'
import { mergeMoment } from './values/merge.ts'
import { readNormalized } from './values/normalized.ts'
import { type Measures, saysNothing } from './values/types.ts'

const FIELDS_SHOWN_MAX = 8

/**
 * What an uplink says, a moment each: its normalized payload where that is plausible, with the decoded fields, else our
 * own decoder of the bytes where there is one. Empty = nothing that is stored.
 */
export function momentsOf(uplink: Uplink): Measures[] {
  const vendor = vendorOf(uplink)
  const make = { vendor, makeText: uplink.makeText }
  const decoded = uplink.decoded === null ? [] : readMoments(uplink.decoded, make)
  const normalized = readNormalized(uplink.normalized, make).filter((measures) => !saysNothing(measures))
  if (decoded.length === 0 && normalized.length === 0) {
    const own = decodeBytes(uplink, vendor)
    return own === null ? [] : readMoments(own, make)
  }
  return mergeMoments(normalized, decoded)
}

/** A normalized payload without a time says what is now, unless the decoded fields are of earlier moments only. */
function mergeMoments(normalized: readonly Measures[], decoded: readonly Measures[]): Measures[] {
  const timed = normalized.filter(({ atMs }) => atMs !== null)
  const untimed = normalized.find(({ atMs }) => atMs === null)
  const now = decoded.find(({ isHistory }) => !isHistory)
  const kept = decoded.filter(({ isHistory }) => isHistory)
  const normalizedNow = untimed ?? timed.find(({ isHistory }) => !isHistory)
  if (now === undefined) return [...(decoded.length === 0 ? normalized : timed), ...kept]
  if (normalizedNow === undefined) return [now, ...timed, ...kept]
  return [mergeMoment(normalizedNow, now), ...timed.filter((measures) => measures !== normalizedNow), ...kept]
}

/** Why nothing of an uplink is stored, as it stands in the detail of its reject. */
export function whyNothing({ decoded, bytes, fPort, makeText }: Uplink, vendor: Vendor | null): string {
  const expected = 'expected a temperature, humidity, door or battery'
  if (decoded !== null && Object.keys(decoded).length > 0) {
    return `${expected} among the decoded fields, got ${Object.keys(decoded).slice(0, FIELDS_SHOWN_MAX).join(', ')}`
  }
  const device = makeText === '' ? 'a device that no profile names' : `"${makeText.slice(0, 60)}"`
  const made = vendor === null ? 'of an unknown make' : `by ${vendor}`
  return (
    `${expected}: the network server has decoded nothing, and there is no decoder for ${bytes.length} bytes on port ` +
    `${fPort} of ${device} ${made}; add a codec to its device profile`
  )
}
