import type { LedgerEntry, Message, RejectReason } from '../hub/message.ts'
import type { Journal } from './journal.ts'
import { DoorRows, ReadingRows, type RowState } from './rows.ts'
import type { LedgerSubject } from './subject.ts'

export interface ItemCounts {
  /** Items of which at least one attempt to send was made. */
  published: number
  acknowledged: number
  /** Given up by a hub after an attempt: stored or not, nobody knows. */
  dropped: number
  /** Given up by a hub before any attempt. */
  droppedUnsent: number
  /** Times that an item was sent once more: after a lost connection, or as a duplicate. */
  sentAgain: number
}

/** Of one reason: items in publishes, and in those publishes that were acknowledged. */
export interface RejectCounts {
  sent: number
  acknowledged: number
}

const noItems = (): ItemCounts => ({
  published: 0,
  acknowledged: 0,
  dropped: 0,
  droppedUnsent: 0,
  sentAgain: 0,
})

/**
 * What was published and what became of it. A message is `pending` from the first attempt to send it, then either
 * `acknowledged` by a PUBACK or `dropped` by its hub; both are final. What is not acknowledged may be stored or not.
 */
export class Ledger {
  readonly subject: LedgerSubject
  readonly readingRows = new ReadingRows()
  readonly doorRows = new DoorRows()
  readonly readings = noItems()
  readonly doors = noItems()
  readonly rejects = new Map<RejectReason, RejectCounts>()
  readonly #journal: Journal | undefined
  readonly #deviceIndexes: Map<string, number>
  #entries = 0

  constructor(subject: LedgerSubject, journal?: Journal) {
    this.subject = subject
    this.#journal = journal
    this.#deviceIndexes = new Map(subject.devices.map((devEui, index) => [devEui, index]))
  }

  /** The place of a device in `subject.devices`, which rows refer to. Throws for one that is not of the fleet. */
  deviceIndex(devEui: string): number {
    const index = this.#deviceIndexes.get(devEui)
    if (index === undefined) throw new Error(`The ledger is not about device ${devEui}.`)
    return index
  }

  /** To be called before every attempt to send a message. */
  attempt(message: Message): void {
    if (message.entry) this.again(message.entry)
    else message.entry = this.open(message)
  }

  /** The first attempt. */
  open(sent: Pick<Message, 'readings' | 'doors' | 'rejects'>): LedgerEntry {
    const entry: LedgerEntry = {
      id: this.#entries,
      firstReading: this.readingRows.keys.length,
      readings: sent.readings.length,
      firstDoor: this.doorRows.keys.length,
      doors: sent.doors.length,
      rejects: sent.rejects,
      state: 'pending',
    }
    this.#journal?.write({ kind: 'attempt', id: entry.id, ...sent })
    this.#entries += 1
    for (const reading of sent.readings) this.readingRows.append(this.deviceIndex(reading.device), reading)
    for (const door of sent.doors) this.doorRows.append(this.deviceIndex(door.device), door)
    this.readings.published += entry.readings
    this.doors.published += entry.doors
    this.#countRejects(entry, 'sent')
    return entry
  }

  again(entry: LedgerEntry): void {
    this.#journal?.write({ kind: 'again', id: entry.id })
    this.readings.sentAgain += entry.readings
    this.doors.sentAgain += entry.doors
    this.#countRejects(entry, 'sent')
  }

  /** A PUBACK has come, be it for a duplicate. */
  acknowledge(entry: LedgerEntry): void {
    this.#journal?.write({ kind: 'acknowledge', id: entry.id })
    this.#countRejects(entry, 'acknowledged')
    this.#settle(entry, 'acknowledged')
  }

  /** The hub has given the message up. */
  drop(message: Pick<Message, 'readings' | 'doors' | 'entry'>): void {
    if (message.entry) {
      this.dropEntry(message.entry)
      return
    }
    const readings = message.readings.length
    const doors = message.doors.length
    this.#journal?.write({ kind: 'unsent', readings, doors })
    this.dropUnsent(readings, doors)
  }

  dropEntry(entry: LedgerEntry): void {
    if (entry.state !== 'pending') return
    this.#journal?.write({ kind: 'drop', id: entry.id })
    this.#settle(entry, 'dropped')
  }

  dropUnsent(readings: number, doors: number): void {
    this.readings.droppedUnsent += readings
    this.doors.droppedUnsent += doors
  }

  #settle(entry: LedgerEntry, state: Exclude<RowState, 'pending'>): void {
    if (entry.state !== 'pending') return
    entry.state = state
    this.readingRows.keys.setStates(entry.firstReading, entry.readings, state)
    this.doorRows.keys.setStates(entry.firstDoor, entry.doors, state)
    this.readings[state] += entry.readings
    this.doors[state] += entry.doors
  }

  #countRejects(entry: LedgerEntry, what: keyof RejectCounts): void {
    for (const reason of entry.rejects) {
      const counts = this.rejects.get(reason) ?? { sent: 0, acknowledged: 0 }
      counts[what] += 1
      this.rejects.set(reason, counts)
    }
  }
}
