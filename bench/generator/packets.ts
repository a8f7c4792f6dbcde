import { generate } from 'mqtt-packet'
import type { MessageKind } from './mix.ts'
import { euiOf, type LoadPlan, measuredBy, plannedMessage } from './plan.ts'

export const AT_DIGITS = 13
const AT_MARK = '0'.repeat(AT_DIGITS)
const AT_NAME = '"at":'

const LATE_MS = -3 * 86_400_000
const DOOR_OPEN_MS = 400
/** Of a sensor that measures from -100 to 200 °C. */
const OUT_OF_RANGE = '999.00'

/** The PUBLISH packet of a slot, but for the digits of its times. */
export interface SlotPacket {
  bytes: Buffer
  /** Where the digits of each `at` begin. */
  atOffsets: Uint32Array
  /** What each of them is away from the time of the message; absent where none is. */
  shiftsMs?: readonly number[]
}

export interface Topics {
  readings: string
  doors: string
}

/** Encodes what a connection publishes in a slot; its devices never change. */
export function encodeSlot(
  plan: LoadPlan,
  options: { connection: number; slot: number; kind: MessageKind; topics: Topics },
): SlotPacket {
  const { connection, slot, kind, topics } = options
  const { firstDevice } = plannedMessage(plan, connection, slot)
  const topic = kind === 'doors' ? topics.doors : topics.readings
  const payload = kind === 'doors' ? doorsText(plan, firstDevice) : readingsText(plan, firstDevice, kind)
  const bytes = generate({
    ...{ cmd: 'publish', qos: 1, dup: false, retain: false },
    ...{ topic, payload, messageId: slot + 1 },
  })
  const atOffsets = offsetsOf(bytes)
  if (kind === 'doors') return { bytes, atOffsets, shiftsMs: [0, DOOR_OPEN_MS] }
  if (kind === 'late') return { bytes, atOffsets, shiftsMs: Array.from(atOffsets, () => LATE_MS) }
  return { bytes, atOffsets }
}

function doorsText(plan: LoadPlan, device: number): string {
  const event = (state: string) =>
    `{"device":"${euiOf(plan, device)}",${AT_NAME}${AT_MARK},"state":"${state}"}`
  return `{"events":[${event('open')},${event('closed')}]}`
}

function readingsText(plan: LoadPlan, firstDevice: number, kind: MessageKind): string {
  const readings = Array.from({ length: plan.readingsPerMessage }, (_, index) =>
    readingText(plan, firstDevice + index),
  )
  const last = firstDevice + plan.readingsPerMessage - 1
  if (kind === 'unknown device')
    readings.splice(-1, 1, readingText(plan, last, { eui: unknownEui(plan, last) }))
  if (kind === 'out of range') readings.splice(-1, 1, readingText(plan, last, { temperature: OUT_OF_RANGE }))
  if (kind === 'twice') readings.push(readings[0] ?? '')
  const text = `{"readings":[${readings.join()}]}`
  return kind === 'malformed' ? text.slice(0, -1) : text
}

function readingText(
  plan: LoadPlan,
  device: number,
  instead: { eui?: string; temperature?: string } = {},
): string {
  const { temperature, humidity, battery, rssi, snr } = measuredBy(device)
  const { eui = euiOf(plan, device), temperature: celsius = temperature.toFixed(2) } = instead
  return (
    `{"device":"${eui}",${AT_NAME}${AT_MARK},"temperature":${celsius},` +
    `"humidity":${humidity.toFixed(1)},"battery":${battery},"rssi":${rssi},"snr":${snr.toFixed(1)}}`
  )
}

/** As the device's own, but for its first digit. */
function unknownEui(plan: LoadPlan, device: number): string {
  const eui = euiOf(plan, device)
  return (eui.startsWith('f') ? '0' : 'f') + eui.slice(1)
}

function offsetsOf(packet: Buffer): Uint32Array {
  const offsets: number[] = []
  const name = AT_NAME + AT_MARK
  for (let at = packet.indexOf(name); at >= 0; at = packet.indexOf(name, at + name.length)) {
    offsets.push(at + AT_NAME.length)
  }
  return Uint32Array.from(offsets)
}
