import type { REJECT_REASONS } from '../payloads.ts'
import { isRecord } from './value.ts'

/** One thing set aside: an item of a message, or the message whole. */
export interface Reject {
  /** Index in the message; null means the message whole. */
  item: number | null
  /** Only what can be told from the bytes and the topic: `unknown_device` and `too_large` are for others to find. */
  reason: Exclude<(typeof REJECT_REASONS)[number], 'unknown_device' | 'too_large'>
  /** Path, expectation and the value found, at most `REJECT_DETAIL_CHARS_MAX` characters. */
  detail: string
  /** As sent, if it was a string, or else the device of the topic; cut, control characters replaced. */
  device?: string
  /** As sent, if it was a finite number or a string; cut, control characters replaced. */
  at?: number | string
}

const REJECT_DETAIL_CHARS_MAX = 500
const REJECT_VALUE_CHARS_MAX = 64

/** Cuts and cleans a text for `detail`, which goes into the database, the log and the hub's answer. */
export function detailText(text: string): string {
  return printable(text, REJECT_DETAIL_CHARS_MAX)
}

/** The `device` and `at` of a reject, from an item that may be anything. */
export function rejectOrigin(
  item: unknown,
  impliedDevEui: string | undefined,
): Pick<Reject, 'device' | 'at'> {
  const { device, at } = isRecord(item) ? item : {}
  const named = typeof device === 'string' ? printable(device, REJECT_VALUE_CHARS_MAX) : impliedDevEui
  return { ...(named !== undefined && { device: named }), ...rejectTime(at) }
}

function rejectTime(at: unknown): Pick<Reject, 'at'> {
  if (typeof at === 'string') return { at: printable(at, REJECT_VALUE_CHARS_MAX) }
  return typeof at === 'number' && Number.isFinite(at) ? { at } : {}
}

/** PostgreSQL takes neither NUL nor lone surrogates, and a terminal obeys the other control characters. */
function printable(text: string, charsMax: number): string {
  return text.slice(0, charsMax).replaceAll(/[\p{Cc}\p{Cs}]/gu, '\uFFFD')
}
