import type { LoadPlan } from './plan.ts'

/** What a load publishes beside plain readings, each as one message in so many; absent: none. */
export interface Mix {
  /** A fault of `FAULTS`, each in its turn. */
  faultEvery?: number | undefined
  /** A door that opens and closes. */
  doorsEvery?: number | undefined
  /** The message before it in its place in the ring, once more: the same packet id and the same payload. */
  resendEvery?: number | undefined
}

/**
 * What can be wrong with a message:
 * - malformed: its payload is cut off; it is rejected whole
 * - unknown device: the last reading is of a device that nobody has registered; it alone is rejected
 * - out of range: the last reading has a temperature that no sensor measures; it alone is rejected
 * - late: it was measured three days before the others; it is stored
 * - twice: its first reading stands in it twice, and is stored once
 */
export const FAULTS = ['malformed', 'unknown device', 'out of range', 'late', 'twice'] as const
export type MessageKind = 'readings' | 'doors' | (typeof FAULTS)[number]

/** What the database must hold of the messages of a load, once they are acknowledged. */
export interface ExpectedBooks {
  readings: number
  readingsDuplicate: number
  doors: number
  doorsDuplicate: number
  /** By reason. */
  rejected: { malformed: number; unknown_device: number; invalid: number }
}

/** An opening and a closing. */
const EVENTS_PER_DOORS_MESSAGE = 2

/**
 * The kind of message in a slot of a connection's ring: always the same. Slots are counted through all connections, so
 * that the shares are right where a ring is small.
 */
export function kindOf(mix: Mix, connection: number, slot: number, slots: number): MessageKind {
  const number = connection * slots + slot
  const { faultEvery, doorsEvery } = mix
  if (faultEvery !== undefined && number % faultEvery === Math.floor(faultEvery / 2)) {
    return FAULTS[Math.floor(number / faultEvery) % FAULTS.length] ?? 'malformed'
  }
  // Not where the faults are, as long as one number divides the other.
  return doorsEvery !== undefined && number % doorsEvery === doorsEvery - 1 ? 'doors' : 'readings'
}

/** How a message comes: for the first time, or again: by the protocol (DUP) or as its hub's own new publish. */
export type Coming = 'first' | 'again' | 'again with DUP'

/**
 * In each pass through the ring other slots repeat what they sent in the pass before, one in `resendEvery`. It was
 * acknowledged by then, so the server has it stored. Every other one has DUP set.
 */
export function comingOf(mix: Mix, connection: number, message: number, slots: number): Coming {
  const { resendEvery } = mix
  if (resendEvery === undefined || message < slots) return 'first'
  const place = Math.floor(message / slots) + (message % slots) + connection
  if (place % resendEvery !== 0) return 'first'
  return Math.floor(place / resendEvery) % 2 === 0 ? 'again with DUP' : 'again'
}

/** Readings and door events that a message names; a message that cannot be read counts as one. */
export function itemsOf(kind: MessageKind, { readingsPerMessage }: LoadPlan): number {
  const items: Partial<Record<MessageKind, number>> = {
    doors: EVENTS_PER_DOORS_MESSAGE,
    malformed: 1,
    twice: readingsPerMessage + 1,
  }
  return items[kind] ?? readingsPerMessage
}

/** Messages sent, by kind: for the first time, and again. */
export type Tally = Record<MessageKind, { first: number; again: number }>

export function openTally(): Tally {
  const kinds: MessageKind[] = ['readings', 'doors', ...FAULTS]
  return Object.fromEntries(kinds.map((kind) => [kind, { first: 0, again: 0 }])) as Tally
}

/** Readings and door events in all messages of these tallies. */
export function itemsSent(tallies: readonly Tally[], plan: LoadPlan): number {
  const ofKind = ([kind, { first, again }]: [string, Tally[MessageKind]]) =>
    (first + again) * itemsOf(kind as MessageKind, plan)
  return tallies.flatMap((tally) => Object.entries(tally).map(ofKind)).reduce((sum, items) => sum + items, 0)
}

/** The books of all messages of these tallies. */
export function expectedBooks(tallies: readonly Tally[], plan: LoadPlan): ExpectedBooks {
  const books: ExpectedBooks = {
    ...{ readings: 0, readingsDuplicate: 0, doors: 0, doorsDuplicate: 0 },
    rejected: { malformed: 0, unknown_device: 0, invalid: 0 },
  }
  for (const tally of tallies) {
    for (const [kind, sent] of Object.entries(tally)) addMessages(books, kind as MessageKind, { sent, plan })
  }
  return books
}

function addMessages(
  books: ExpectedBooks,
  kind: MessageKind,
  { sent: { first, again }, plan }: { sent: Tally[MessageKind]; plan: LoadPlan },
): void {
  const all = first + again
  if (kind === 'doors') {
    books.doors += first * EVENTS_PER_DOORS_MESSAGE
    books.doorsDuplicate += again * EVENTS_PER_DOORS_MESSAGE
    return
  }
  if (kind === 'malformed') {
    books.rejected.malformed += all
    return
  }
  // What is rejected is rejected again.
  const refused = kind === 'unknown device' || kind === 'out of range' ? 1 : 0
  const stored = plan.readingsPerMessage - refused
  books.readings += first * stored
  books.readingsDuplicate += again * stored + (kind === 'twice' ? all : 0)
  if (kind === 'unknown device') books.rejected.unknown_device += all
  if (kind === 'out of range') books.rejected.invalid += all
}
