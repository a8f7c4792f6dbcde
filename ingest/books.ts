import type { RejectReason } from '../db/batches/write-rejected.ts'
import { type HeldMessage, SUBJECTS, type Subject } from './message.ts'

/** The books of readings, door events or statuses, counted in items since the start of the process. */
export interface Account {
  received: number
  committed: number
  duplicate: number
  rejected: Record<RejectReason, number>
  /** Given back to their client unacknowledged, at the end of the process or after a defect: it sends them again. */
  returned: number
  /** In the spool now: acknowledged, and not in the database yet. */
  spooled: number
  /** How many have gone through the spool. */
  spooledTotal: number
  /** Held now: received, and neither committed nor set aside yet. Counted for itself, not as a difference. */
  inFlight: number
}

export type Books = Record<Subject, Account>

export function openBooks(): Books {
  return { readings: openAccount(), doors: openAccount(), status: openAccount() }
}

function openAccount(): Account {
  return {
    received: 0,
    committed: 0,
    duplicate: 0,
    rejected: { malformed: 0, invalid: 0, unknown_device: 0, not_your_device: 0, clock: 0, too_large: 0 },
    returned: 0,
    spooled: 0,
    spooledTotal: 0,
    inFlight: 0,
  }
}

/** What a message adds to `received` and, while it is held, to `inFlight`. */
export function itemsReceived(books: Books, subject: Subject, items: number): void {
  books[subject].received += items
  books[subject].inFlight += items
}

/** A message is durable. */
export function itemsReleased(books: Books, subject: Subject, items: number): void {
  books[subject].inFlight -= items
}

/** A message goes back to its client unacknowledged. */
export function itemsReturned(books: Books, subject: Subject, items: number): void {
  books[subject].inFlight -= items
  books[subject].returned += items
}

/** A message is in the spool. */
export function itemsSpooled(books: Books, subject: Subject, items: number): void {
  books[subject].inFlight -= items
  books[subject].spooled += items
  books[subject].spooledTotal += items
}

/** What the spool holds at start counts as received. */
export function itemsFound(books: Books, items: Record<Subject, number>): void {
  for (const subject of SUBJECTS) {
    books[subject].received += items[subject]
    books[subject].spooled += items[subject]
  }
}

/** Items leave the spool to be written; `direction` -1 puts them back. */
export function itemsTaken(books: Books, items: Record<Subject, number>, direction: 1 | -1): void {
  for (const subject of SUBJECTS) {
    books[subject].spooled -= items[subject] * direction
    books[subject].inFlight += items[subject] * direction
  }
}

/**
 * What was in the spool turns out to be in the database: `added` as rows of its own, the rest was stored already, or
 * set aside when it was written.
 */
export function itemsStored(
  books: Books,
  items: Record<Subject, number>,
  added: { readings: number; doors: number },
): void {
  for (const subject of SUBJECTS) books[subject].spooled -= items[subject]
  books.readings.committed += added.readings
  books.readings.duplicate += items.readings - added.readings
  books.doors.committed += added.doors
  books.doors.duplicate += items.doors - added.doors
  books.status.duplicate += items.status
}

/** A message turns out to have another number of items than it was counted with. */
export function itemsRecounted(books: Books, subject: Subject, difference: number): void {
  books[subject].received += difference
  books[subject].inFlight += difference
}

export function countRejects(books: Books, message: HeldMessage): void {
  for (const { subject, reason } of message.rejects) books[subject ?? message.subject].rejected[reason] += 1
}

/** received − (committed + duplicate + rejected + returned + in the spool + in flight): 0 when the books balance. */
export function imbalance(account: Account): number {
  const rejected = Object.values(account.rejected).reduce((sum, count) => sum + count, 0)
  const { received, committed, duplicate, returned, spooled, inFlight } = account
  return received - committed - duplicate - rejected - returned - spooled - inFlight
}
