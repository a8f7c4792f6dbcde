import type { RejectReason } from '../../db/batches/write-rejected.ts'

/** Why an item can never be put back, or not as things stand. */
export type Hindrance = 'cut_short' | 'unnamed' | 'no_log_in' | 'status'

/** The books of one run, in items. */
export interface ReplayTally {
  /** Without those left to others. */
  lookedAt: number
  /** Stored now. */
  readings: number
  doors: number
  /** Stored already: rejected no longer. */
  duplicate: number
  stillRejected: Partial<Record<RejectReason, number>>
  notReplayable: Partial<Record<Hindrance, number>>
  /** Gone, or locked by another process, when they were to be written. */
  leftToOthers: number
}

const HINDRANCES: Record<Hindrance, string> = {
  cut_short: 'only the beginning was kept',
  unnamed: 'unknown then: name it (--client)',
  no_log_in: 'its client may no longer log in',
  status: 'a status is over',
}
const LABEL_WIDTH = 34
const COUNT_WIDTH = 12

export function openTally(): ReplayTally {
  return {
    lookedAt: 0,
    readings: 0,
    doors: 0,
    duplicate: 0,
    stillRejected: {},
    notReplayable: {},
    leftToOthers: 0,
  }
}

/** Adds to one of the counts by name. */
export function count<Name extends string>(
  counts: Partial<Record<Name, number>>,
  name: Name,
  items = 1,
): void {
  counts[name] = (counts[name] ?? 0) + items
}

/** looked at − what became of it: 0 when the books balance. */
export function tallyImbalance(tally: ReplayTally): number {
  const { lookedAt, readings, doors, duplicate } = tally
  return lookedAt - readings - doors - duplicate - sum(tally.stillRejected) - sum(tally.notReplayable)
}

/** One line for a run that takes long. */
export function formatProgress(tally: ReplayTally): string {
  return (
    `looked at ${figure(tally.lookedAt)}: stored ${figure(tally.readings + tally.doors)}, ` +
    `already stored ${figure(tally.duplicate)}, still rejected ${figure(sum(tally.stillRejected))}, ` +
    `not replayable ${figure(sum(tally.notReplayable))}`
  )
}

/** The books as a table, the parts of a count below it. */
export function formatTally(tally: ReplayTally): string {
  const lines = [
    line('looked at', tally.lookedAt),
    line('stored', tally.readings + tally.doors),
    ...parts({ readings: tally.readings, 'door events': tally.doors }),
    line('already stored', tally.duplicate),
    line('still rejected', sum(tally.stillRejected)),
    ...parts(tally.stillRejected),
    line('not replayable', sum(tally.notReplayable)),
    ...parts(
      Object.fromEntries(
        Object.entries(tally.notReplayable).map(([name, items]) => [HINDRANCES[name as Hindrance], items]),
      ),
    ),
  ]
  if (tally.leftToOthers > 0) lines.push(line('left to another run', tally.leftToOthers))
  return lines.join('\n')
}

function parts(counts: Partial<Record<string, number>>): string[] {
  return Object.entries(counts).flatMap(([name, items = 0]) => (items > 0 ? [line(`  ${name}`, items)] : []))
}

function line(label: string, items: number): string {
  return label.padEnd(LABEL_WIDTH) + figure(items).padStart(COUNT_WIDTH)
}

function figure(items: number): string {
  return items.toLocaleString('en-US')
}

function sum(counts: Partial<Record<string, number>>): number {
  return Object.values(counts).reduce<number>((total, items = 0) => total + items, 0)
}
