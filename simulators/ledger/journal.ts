import { closeSync, openSync, writeSync } from 'node:fs'
import { z } from 'zod'
import { REJECT_REASONS } from '../../ingest/payloads.ts'
import type { LedgerSubject } from './subject.ts'

const id = z.int().min(0)
const count = z.int().min(0)
const reading = z.object({
  device: z.string(),
  at: z.number(),
  temperature: z.number().optional(),
  humidity: z.number().optional(),
  battery: z.number().optional(),
  rssi: z.number().optional(),
  snr: z.number().optional(),
  fault: z.enum(['no_probe', 'probe_short', 'out_of_range', 'stuck', 'other']).optional(),
})
const door = z.object({ device: z.string(), at: z.number(), state: z.enum(['open', 'closed']) })

/** What a ledger file has after its first line: one event a line, in the order in which things happened. */
export const journalEvent = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('attempt'),
    id,
    readings: z.array(reading),
    doors: z.array(door),
    rejects: z.array(z.enum(REJECT_REASONS)),
  }),
  z.object({ kind: z.literal('again'), id }),
  z.object({ kind: z.literal('acknowledge'), id }),
  z.object({ kind: z.literal('drop'), id }),
  z.object({ kind: z.literal('unsent'), readings: count, doors: count }),
])

/** The first line of a ledger file. */
export const journalHeader = z.object({
  ledger: z.literal(1),
  organization: z.string(),
  devices: z.array(z.string()),
  clients: z.array(z.string()),
  startedAtMs: z.number(),
})

/** Where a ledger's events are written as they happen. */
export interface Journal {
  write(event: JournalEntry): void
}

/** An event as it is written: more fields than these are not kept. */
type JournalEntry = DeepReadonly<z.output<typeof journalEvent>>

type DeepReadonly<T> = T extends (infer Item)[]
  ? readonly DeepReadonly<Item>[]
  : T extends object
    ? { readonly [Key in keyof T]: DeepReadonly<T[Key]> }
    : T

/**
 * An append-only file of JSON lines. Each line is handed to the system before `write` returns, so that it survives the
 * end of this process. Throws when the file exists: two runs in one file would be no ledger.
 */
export function createJournal(path: string, subject: LedgerSubject): Journal & { close(): void } {
  const file = openSync(path, 'wx', 0o600)
  const line = (value: unknown) => writeSync(file, `${JSON.stringify(value)}\n`)
  line({ ledger: 1, ...subject })
  return {
    write: (event) => void line(journalLine(event)),
    close: () => closeSync(file),
  }
}

/** Of an attempt, what belongs to the ledger: a message also has its bytes. */
function journalLine(event: JournalEntry): JournalEntry {
  if (event.kind !== 'attempt') return event
  const { kind, id: entryId, readings, doors, rejects } = event
  return { kind, id: entryId, readings, doors, rejects }
}
