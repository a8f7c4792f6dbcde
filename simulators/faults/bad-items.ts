import type { BadItem } from '../hub/message.ts'
import { ownDevice } from '../hub/message.ts'
import type { Random } from '../random.ts'
import type { PublisherName } from '../types.ts'

const GARBAGE_BYTES_MAX = 200

/** An item that is set aside while its neighbours are stored, docs/protocol.md "Rejected". */
export function badItem(
  random: Random,
  publisher: PublisherName,
  place: { channel: 'readings' | 'doors'; device: string; at: number },
): BadItem {
  const isDevice = ownDevice(publisher) !== undefined
  const good = {
    ...(isDevice ? {} : { device: place.device }),
    at: place.at,
    ...(place.channel === 'readings' ? { temperature: 4 } : { state: 'open' }),
  }
  const wrongType = place.channel === 'readings' ? { temperature: '4.0' } : { state: 'ajar' }
  const strangerReason = isDevice ? ('not_your_device' as const) : ('unknown_device' as const)
  return random.pick<BadItem>([
    { json: { ...good, ...wrongType }, reason: 'invalid' },
    // Seconds instead of milliseconds, the classic.
    { json: { ...good, at: Math.floor(place.at / 1_000) }, reason: 'clock' },
    { json: { ...good, device: strangerEui(random) }, reason: strangerReason },
  ])
}

/** A DevEUI that no vendor has: its first three bytes belong to nobody. */
function strangerEui(random: Random): string {
  const rest = Array.from({ length: 10 }, () => random.integer(0, 15).toString(16))
  return `fffffe${rest.join('')}`
}

/** Bytes that are no JSON: the first one says so already. */
export function garbage(random: Random): Buffer {
  const bytes = Array.from({ length: random.integer(0, GARBAGE_BYTES_MAX) }, () => random.integer(0, 255))
  return Buffer.from([0xff, ...bytes])
}
