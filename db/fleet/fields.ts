import { z } from 'zod'
import { canonicalDevEui, DEV_EUI } from '../device-eui.ts'

const NAME_LENGTH_MAX = 200
const TEXT_LENGTH_MAX = 2_000

/** The range of the sensors' own readings. */
const CELSIUS_MIN = -100
const CELSIUS_MAX = 200

/** Lone surrogates and control characters: PostgreSQL refuses some of them, and nobody can see the others. */
const UNPRINTABLE = /[\p{Cc}\p{Cs}]/u

/** An object that names the unknown field and the known ones. */
export function strictObject<S extends z.ZodRawShape>(shape: S) {
  return z.strictObject(shape, {
    error: (issue) =>
      issue.code === 'unrecognized_keys'
        ? `unknown field ${issue.keys.map((key) => `"${key}"`).join(', ')}; known are ${Object.keys(shape).join(', ')}`
        : undefined,
  })
}

export const text = () =>
  z
    .string()
    .min(1, 'must not be empty; leave it out instead')
    .max(TEXT_LENGTH_MAX, `must have at most ${TEXT_LENGTH_MAX} characters`)
    .refine((value) => !UNPRINTABLE.test(value), 'must not contain control characters')

/** What people call a thing, and what it is found by. */
export const name = () =>
  text()
    .max(NAME_LENGTH_MAX, `must have at most ${NAME_LENGTH_MAX} characters`)
    .refine((value) => value === value.trim(), 'must not begin or end with a space')

/** A name that stands in topics and usernames. */
export const key = () =>
  z
    .string()
    .regex(
      /^[a-z0-9][a-z0-9-]{0,63}$/,
      'must have 1 to 64 lower-case letters, digits and hyphens, and not begin with a hyphen',
    )

/** An IANA time zone, as far as this runtime knows it; an offset is none, because it knows no summer time. */
export const timezone = () =>
  z.string().refine(isTimeZone, 'must be an IANA time zone such as "Europe/Berlin"')

function isTimeZone(value: string): boolean {
  if (!/^[A-Za-z]/.test(value)) return false
  try {
    new Intl.DateTimeFormat('en', { timeZone: value })
    return true
  } catch {
    return false
  }
}

/** A 64-bit EUI as people write it; becomes 16 lower-case hex digits. */
export const eui64 = () =>
  z
    .string()
    .regex(DEV_EUI, 'must have 16 hex digits, with ":" or "-" between the bytes or nothing')
    .transform(canonicalDevEui)

/** Becomes lower case with colons, as PostgreSQL writes it. */
export const macAddress = () =>
  z
    .string()
    .regex(
      /^(?:[0-9a-f]{12}|[0-9a-f]{2}(?::[0-9a-f]{2}){5}|[0-9a-f]{2}(?:-[0-9a-f]{2}){5})$/i,
      'must have 12 hex digits, with ":" or "-" between the bytes or nothing',
    )
    .transform((value) => {
      const digits = value.replaceAll(/[:-]/g, '').toLowerCase()
      return digits.replaceAll(/..(?!$)/g, '$&:')
    })

const isHundredths = (value: number) => Math.abs(value * 100 - Math.round(value * 100)) < 1e-6

/** A temperature in °C: limits are compared in hundredths. */
export const celsius = () =>
  z
    .number()
    .min(CELSIUS_MIN, `must be at least ${CELSIUS_MIN} °C`)
    .max(CELSIUS_MAX, `must be at most ${CELSIUS_MAX} °C`)
    .refine(isHundredths, 'must have at most 2 decimals')

/** A difference of temperatures in °C, without sign. */
export const celsiusStep = () =>
  z
    .number()
    .min(0, 'must not be negative')
    .max(CELSIUS_MAX - CELSIUS_MIN, `must be at most ${CELSIUS_MAX - CELSIUS_MIN} °C`)
    .refine(isHundredths, 'must have at most 2 decimals')

export function wholeNumber(options: { min: number; max: number; unit: string }) {
  const { min, max, unit } = options
  const expected = `must be a whole number of ${unit} from ${min} to ${max}`
  return z.number().int(expected).min(min, expected).max(max, expected)
}
