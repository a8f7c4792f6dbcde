import { normalizeDevEui } from '../../../db/device-eui.ts'
import { parseRfc3339 } from '../../time.ts'
import { isRecord, type JsonRecord } from '../value.ts'

/** Readers of the fields of both servers' JSON. What is left out counts as 0 or as empty, as the servers mean it. */

export function recordOf(value: unknown): JsonRecord {
  return isRecord(value) ? value : {}
}

export function listOf(value: unknown): readonly JsonRecord[] {
  return Array.isArray(value) ? value.filter(isRecord) : []
}

export function textOf(value: unknown): string {
  return typeof value === 'string' ? value : ''
}

/** A number, 0 where it was left out or is none. */
export function numberOf(value: unknown): number {
  return typeof value === 'number' && Number.isFinite(value) ? value : 0
}

/** A whole number from 0 on, or 0. */
export function countOf(value: unknown): number {
  const number = numberOf(value)
  return Number.isSafeInteger(number) && number > 0 ? number : 0
}

/** A DevEUI in our form, or null. */
export function devEuiOf(value: unknown): string | null {
  return typeof value === 'string' ? normalizeDevEui(value) : null
}

/** 8 lower-case hex digits, or null. */
export function devAddrOf(value: unknown): string | null {
  return typeof value === 'string' && /^[0-9a-f]{8}$/i.test(value) ? value.toLowerCase() : null
}

/** An RFC 3339 time in epoch milliseconds, or null. */
export function timeOf(value: unknown): number | null {
  return typeof value === 'string' ? parseRfc3339(value) : null
}

/** With its padding or without. */
const BASE64 = /^(?:[0-9A-Za-z+/]{4})*(?:[0-9A-Za-z+/]{2}(?:==)?|[0-9A-Za-z+/]{3}=?)?$/

/** The bytes of a base64 text; null when it is none. */
export function bytesOf(value: unknown): Uint8Array | null {
  if (value === undefined || value === null) return new Uint8Array()
  if (typeof value !== 'string' || !BASE64.test(value)) return null
  return Buffer.from(value, 'base64')
}

const MAKE_WORDS_MAX = 32
const MAKE_WORD_CHARS_MAX = 100

/** Words that may name a make and model, for `Uplink.makeText`. */
export function makeTextOf(words: readonly unknown[]): string {
  return words
    .slice(0, MAKE_WORDS_MAX)
    .map((word) => textOf(word).slice(0, MAKE_WORD_CHARS_MAX))
    .filter((word) => word !== '')
    .join(' ')
    .toLowerCase()
}
