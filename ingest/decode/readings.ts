import { z } from 'zod'
import { deviceReading, type Fault, hubReading, READING_CONTENT } from '../payloads.ts'
import type { DecodeContext, ItemOrigin } from './item.ts'
import { type DecodedItems, decodeItems } from './items.ts'
import type { Probe } from './lora/values/types.ts'
import { isAbsent } from './value.ts'

/** One accepted reading; null means that the message does not say. */
export interface ReadingItem extends ItemOrigin {
  /** °C as the sensor said it, uncalibrated. */
  temperature: number | null
  /** Relative humidity, %. */
  humidity: number | null
  /** %, a whole number. */
  battery: number | null
  /** dBm, a whole number. */
  rssi: number | null
  /** dB. */
  snr: number | null
  fault: Fault | null
  /** Of a device that says more than one temperature: its `temperature_source` decides which is the reading's. */
  probes?: readonly Probe[]
}

type ReadingPayload = z.output<typeof deviceReading>

const CONTENT_EXPECTED = `expected at least one of ${READING_CONTENT.join(', ')}`

const rules = {
  listKey: 'readings' as const,
  itemFields: Object.keys(deviceReading.shape),
  fromHub: z.compile(hubReading),
  fromDevice: z.compile(deviceReading),
  contentProblem,
  build,
}

/** Decodes a readings message, from a hub or (with `impliedDevEui`) from a device. Never throws. */
export function decodeReadings(payload: Uint8Array, context: DecodeContext): DecodedItems<ReadingItem> {
  return decodeItems<ReadingPayload, ReadingItem>(payload, context, rules)
}

function contentProblem(reading: ReadingPayload): string | null {
  for (const field of READING_CONTENT) {
    if (!isAbsent(reading[field])) return null
  }
  return `${CONTENT_EXPECTED}, got none`
}

function build({ item, device, atMs }: ItemOrigin, reading: ReadingPayload): ReadingItem {
  return {
    item,
    device,
    atMs,
    temperature: plain(reading.temperature),
    humidity: plain(reading.humidity),
    battery: whole(reading.battery),
    rssi: whole(reading.rssi),
    snr: plain(reading.snr),
    fault: reading.fault ?? null,
    found: undefined,
  }
}

/** Adding 0 makes a 0 of -0, which PostgreSQL would keep and print. */
export function plain(value: number | null | undefined): number | null {
  return isAbsent(value) ? null : value + 0
}

/** Battery and RSSI are stored as whole numbers. */
export function whole(value: number | null | undefined): number | null {
  return isAbsent(value) ? null : Math.round(value) + 0
}
