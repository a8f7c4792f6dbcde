import { open } from 'node:fs/promises'
import { z } from 'zod'
import type { LedgerEntry } from '../hub/message.ts'
import { journalEvent, journalHeader } from './journal.ts'
import { Ledger } from './ledger.ts'

const compiledEvent = z.compile(journalEvent)
type JournalEvent = z.output<typeof journalEvent>

/**
 * Reads a ledger file back. A last line that cannot be read is what a killed process left: it is passed over. Throws an
 * `Error` with a sentence for anything else that is no ledger.
 */
export async function readLedger(path: string): Promise<Ledger> {
  const file = await open(path).catch((error: unknown) => {
    throw new Error(`The ledger file ${path} cannot be read: ${codeOf(error)}.`, { cause: error })
  })
  const replay = replayInto()
  let number = 0
  let damage: Error | undefined
  for await (const line of file.readLines()) {
    if (damage) throw damage
    number += 1
    try {
      replay.line(line)
    } catch (error) {
      damage = new Error(
        `The ledger file ${path} is damaged at line ${number}: expected what "npm run simulate -- --ledger" writes.`,
        { cause: error },
      )
    }
  }
  const ledger = replay.ledger()
  if (!ledger) throw damage ?? new Error(`The ledger file ${path} is empty.`)
  return ledger
}

/** The first line makes the ledger, each other one is an event of it. */
function replayInto() {
  let ledger: Ledger | undefined
  let apply: (event: JournalEvent) => void
  return {
    line: (text: string) => {
      const json: unknown = JSON.parse(text)
      if (ledger) return apply(compiledEvent.parse(json))
      const { ledger: _version, ...subject } = journalHeader.parse(json)
      ledger = new Ledger(subject)
      apply = applyTo(ledger)
    },
    ledger: () => ledger,
  }
}

function applyTo(ledger: Ledger): (event: JournalEvent) => void {
  const entries = new Map<number, LedgerEntry>()
  const entryOf = (id: number): LedgerEntry => {
    const entry = entries.get(id)
    if (!entry) throw new Error(`No attempt ${id} before it.`)
    return entry
  }
  return (event) => {
    switch (event.kind) {
      case 'attempt':
        entries.set(event.id, ledger.open(event))
        break
      case 'again':
        ledger.again(entryOf(event.id))
        break
      case 'acknowledge':
        ledger.acknowledge(entryOf(event.id))
        break
      case 'drop':
        ledger.dropEntry(entryOf(event.id))
        break
      case 'unsent':
        ledger.dropUnsent(event.readings, event.doors)
        break
    }
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error)
}
