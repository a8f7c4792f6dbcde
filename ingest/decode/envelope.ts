import { z } from 'zod'
import { count, shortText } from '../payloads.ts'
import { optionalField, optionalSentAt } from './fields.ts'
import type { JsonRecord } from './value.ts'

/** What stands around the items of a message; a field that was absent or bad is undefined. */
export interface Envelope {
  /** The hub's start id. */
  boot?: string | undefined
  /** The hub's message counter since that start. */
  seq?: number | undefined
  /** The hub's clock when it sent, epoch milliseconds. */
  sentAtMs?: number | undefined
  /** One line for each field that was ignored because it was bad. */
  notes: string[]
}

const compiledText = z.compile(shortText)
const compiledCount = z.compile(count)

/** Reads `boot`, `seq` and `sent_at`. None of them can reject the message: a bad one is ignored and noted. */
export function decodeEnvelope(message: JsonRecord, receivedAtMs: number): Envelope {
  const notes: string[] = []
  const boot = optionalField(compiledText, { path: 'boot', value: message['boot'] }, notes)
  const seq = optionalField(compiledCount, { path: 'seq', value: message['seq'] }, notes)
  const sentAtMs = optionalSentAt(message['sent_at'], receivedAtMs, notes)
  // Adding 0 makes a 0 of -0.
  return { boot, seq: seq === undefined ? undefined : seq + 0, sentAtMs, notes }
}
