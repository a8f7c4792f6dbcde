/**
 * What hubs and devices send and what they are sent back, as zod schemas: the only place where the fields, their
 * ranges and the expectations in error messages are written. The decoders compile these schemas; `docs/schemas` and
 * `docs/asyncapi.json` are generated from them.
 */
import { z } from 'zod'
import { DEV_EUI } from '../db/device-eui.ts'

/** Most readings or door events in one message. */
export const MESSAGE_ITEMS_MAX = 1_000

/** 1 to 64 characters (code points) without control characters or lone surrogates: safe in PostgreSQL, logs and terminals. */
const SHORT_TEXT = /^[^\p{Cc}\p{Cs}]{1,64}$/u

export const TIME_EXPECTED =
  'expected epoch milliseconds (a number) or an RFC 3339 time with its offset (a string)'
const DEVICE_EXPECTED = 'expected a DevEUI (16 hex digits, ":" or "-" between bytes allowed)'
const COUNT_EXPECTED = 'expected a whole number from 0 to 9007199254740991'
const TEXT_EXPECTED = 'expected a string of 1 to 64 characters without control characters'

/** A number between two bounds, both included; every failure says the same range. */
function measurement(min: number, max: number, unit: string) {
  const expected = `expected a number from ${min} to ${max} (${unit})`
  return z.number(expected).min(min, expected).max(max, expected).nullish().meta({ description: unit })
}

function oneOf<const T extends readonly [string, ...string[]]>(values: T) {
  return z.enum(values, `expected one of ${values.map((value) => `"${value}"`).join(', ')}`)
}

export const time = z
  .union([z.number(), z.string().meta({ format: 'date-time' })], TIME_EXPECTED)
  .meta({ description: 'Epoch milliseconds, or RFC 3339 with offset' })
const device = z
  .string(DEVICE_EXPECTED)
  .regex(DEV_EUI, DEVICE_EXPECTED)
  .meta({ description: 'DevEUI: 16 hex digits, any case, ":" or "-" between bytes allowed' })
export const count = z.int(COUNT_EXPECTED).min(0, COUNT_EXPECTED)
export const shortText = z.string(TEXT_EXPECTED).regex(SHORT_TEXT, TEXT_EXPECTED)

const fault = oneOf(['no_probe', 'probe_short', 'out_of_range', 'stuck', 'other'])
export type Fault = z.output<typeof fault>

const readingFields = {
  at: time.nullish(),
  temperature: measurement(-100, 200, '°C'),
  humidity: measurement(0, 100, '%'),
  battery: measurement(0, 100, '%'),
  rssi: measurement(-200, 20, 'dBm'),
  snr: measurement(-50, 50, 'dB'),
  fault: fault.nullish(),
}
const doorState = oneOf(['open', 'closed'])
export type DoorState = z.output<typeof doorState>

const doorFields = { at: time.nullish(), state: doorState }

/** A reading says at least one of these; `rssi` and `snr` alone say nothing about the unit. */
export const READING_CONTENT = ['temperature', 'humidity', 'battery', 'fault'] as const

/** `READING_CONTENT` in JSON Schema, where null means absent too. */
const contentRule = {
  anyOf: READING_CONTENT.map((field) => ({
    required: [field],
    properties: { [field]: { not: { type: 'null' } } },
  })),
}

/** A reading from a hub, which speaks for many devices. */
export const hubReading = z.object({ device, ...readingFields }).meta(contentRule)
/** A reading that a device publishes itself: the topic names the device. */
export const deviceReading = z.object({ device: device.nullish(), ...readingFields }).meta(contentRule)
export const hubDoorEvent = z.object({ device, ...doorFields })
export const deviceDoorEvent = z.object({ device: device.nullish(), ...doorFields })

/** What stands around the items of a message. A bad one of these is ignored and noted: it rejects nothing. */
const envelopeFields = { boot: shortText.nullish(), seq: count.nullish(), sent_at: time.nullish() }

export const hubState = oneOf(['online', 'offline'])
export type HubState = z.output<typeof hubState>
/** Only `state` must be right; the others are ignored and noted if they are bad. */
export const hubStatus = z.object({
  state: hubState,
  firmware: shortText.nullish(),
  queued: count.nullish(),
  sent_at: time.nullish(),
})

/** A message in each of the shapes that are accepted: object with a list, bare list, single item. */
function messageOf<Item extends z.ZodType>(listKey: 'readings' | 'events', item: Item) {
  const list = z.array(item).min(1).max(MESSAGE_ITEMS_MAX)
  return z.union([z.object({ ...envelopeFields, [listKey]: list }), list, item])
}

export const hubReadingsMessage = messageOf('readings', hubReading)
export const hubDoorsMessage = messageOf('events', hubDoorEvent)
export const deviceReadingsMessage = messageOf('readings', deviceReading)
export const deviceDoorsMessage = messageOf('events', deviceDoorEvent)

/** Why a message or an item of one was set aside. */
export const REJECT_REASONS = [
  'malformed',
  'invalid',
  'unknown_device',
  'not_your_device',
  'clock',
  'too_large',
] as const

/** What a hub is told on its `rejected` topic: one message per publish that had rejects. */
export const rejectedMessage = z.array(
  z.object({
    reason: z.enum(REJECT_REASONS),
    detail: z.string().meta({ description: 'What is wrong, with the path of the field' }),
    device: z.string().optional().meta({ description: 'The device as the hub sent it' }),
    at: z.union([z.number(), z.string()]).optional().meta({ description: 'The time as the hub sent it' }),
    seq: z.int().min(0).optional().meta({ description: 'The message counter of the message' }),
  }),
)

const counter = z.int().min(0)

/** What a hub is told on its retained `receipt` topic. */
export const receiptMessage = z.object({
  boot: z.string(),
  seq: z.int().min(0).meta({
    description: 'Every message of this boot from the first seen up to this one is durable',
  }),
  missing: z
    .array(
      z.union([counter, z.tuple([counter, counter]).meta({ description: 'A run: first and last counter' })]),
    )
    .max(1_000)
    .optional()
    .meta({
      description:
        'Message counters that were passed over, in ascending order; a run of more than 100 as [from, to]. Where ' +
        'that would be more than 1,000 entries, the oldest are one pair, which spans durable ones too',
    }),
  time: z.int().meta({ description: "The server's clock, epoch milliseconds" }),
})
