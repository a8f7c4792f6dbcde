import { addRun, listMissing, type MissingList, type Run, removeCounter } from './receipt-missing.ts'

/** Numbers from `from` to `to` that are durable although one before them is not; `sinceMs`: since when (epoch ms). */
interface Range {
  from: number
  to: number
  sinceMs: number
}

/** What is known of one boot of a hub. */
interface BootState {
  boot: string
  /** The first counter seen of this boot: nothing is said about earlier ones. */
  first: number
  /** Every message from `first` up to this one is durable or was passed over; `first - 1` while none is. */
  seq: number
  /** Passed over, in ascending order. */
  missing: Run[]
  ahead: Range[]
}

/** What is known of a hub. It sends from one boot at a time, but the backlog of an earlier one may come in between. */
export interface HubReceiptState {
  /** The one heard last at the end. */
  boots: BootState[]
  /** Boots that are no longer followed: what was known of them is gone, so nothing is said about them any more. */
  forgotten: string[]
  /** The boot whose message became durable last. */
  current: string | null
}

/** Up to where a boot is durable. */
export interface BootReceipt {
  boot: string
  seq: number
  missing: MissingList
}

/** One message of a boot. */
interface BootMessage {
  boot: string
  seq: number
}

/** A hub that restarts often is followed this many boots back. */
const BOOTS_MAX = 8
/** Names of forgotten boots that are kept: a boot that comes back after so many others counts as a new one. */
const FORGOTTEN_MAX = 100
/** A hub whose messages arrive in more pieces has its oldest gap passed over at once. */
const RANGES_MAX = 1_000

export function openState(): HubReceiptState {
  return { boots: [], forgotten: [], current: null }
}

/** The state as it was kept; before there was a `current`, it was a list of boots with the missing counters one by one. */
export function restoreState(kept: unknown): HubReceiptState {
  if (!Array.isArray(kept)) return kept as HubReceiptState
  const boots = (kept as (Omit<BootState, 'missing'> & { missing: number[] })[]).map((known) => ({
    ...known,
    missing: known.missing.map((seq): Run => [seq, seq]),
  }))
  return { boots, forgotten: [], current: boots.at(-1)?.boot ?? null }
}

/**
 * Takes note that a message has arrived, before it is durable: the first of a new boot fixes where the boot begins.
 * Returns the boot's first counter; undefined when the boot is one of the forgotten.
 */
export function noteSeen(state: HubReceiptState, { boot, seq }: BootMessage): number | undefined {
  const known = heard(state, boot)
  if (known) return known.first
  const index = state.forgotten.indexOf(boot)
  if (index >= 0) {
    state.forgotten.push(...state.forgotten.splice(index, 1))
    return undefined
  }
  state.boots.push({ boot, first: seq, seq: seq - 1, missing: [], ahead: [] })
  if (state.boots.length > BOOTS_MAX) forgetOldest(state)
  return seq
}

/** Takes note that a message is durable. A boot not seen before begins at `first`, or here. */
export function noteDurable(
  state: HubReceiptState,
  message: BootMessage & { first?: number | undefined },
  nowMs: number,
): void {
  const { boot, seq, first } = message
  noteSeen(state, { boot, seq: first ?? seq })
  const known = heard(state, boot)
  if (!known) return
  state.current = boot
  if (seq < known.first) return
  if (seq <= known.seq) {
    removeCounter(known.missing, seq)
    return
  }
  addAhead(known, seq, nowMs)
  advance(known)
  if (known.ahead.length > RANGES_MAX) passOver(known)
}

/** Passes over the gaps that are older than `gapSeconds`. Returns the boots that had one. */
export function passOverOldGaps(state: HubReceiptState, nowMs: number, gapSeconds: number): string[] {
  const isOld = ({ ahead: [next] }: BootState) =>
    next !== undefined && nowMs - next.sinceMs >= gapSeconds * 1000
  const changed = state.boots.filter(isOld)
  for (const known of changed) while (isOld(known)) passOver(known)
  return changed.map(({ boot }) => boot)
}

export function hasGaps(state: HubReceiptState): boolean {
  return state.boots.some((known) => known.ahead.length > 0)
}

/** What can be said of a boot; undefined while that is nothing. */
export function receiptOf(state: HubReceiptState, boot: string): BootReceipt | undefined {
  const known = state.boots.find((candidate) => candidate.boot === boot)
  return known && known.seq >= known.first ? toReceipt(known) : undefined
}

/** Where the boot is that was durable last, also while nothing can be said of it: then `seq` is before its first. */
export function currentOf(state: HubReceiptState): BootReceipt | undefined {
  const known = state.boots.find(({ boot }) => boot === state.current)
  return known && toReceipt(known)
}

function toReceipt({ boot, seq, missing }: BootState): BootReceipt {
  return { boot, seq, missing: listMissing(missing) }
}

/** The boot, moved to the end as the one heard last. */
function heard({ boots }: HubReceiptState, boot: string): BootState | undefined {
  const index = boots.findLastIndex((known) => known.boot === boot)
  const known = boots[index]
  if (known && index < boots.length - 1) boots.push(...boots.splice(index, 1))
  return known
}

/** The current boot stays: its receipt is the one that the database keeps. */
function forgetOldest({ boots, forgotten, current }: HubReceiptState): void {
  const oldest = boots.findIndex(({ boot }) => boot !== current)
  for (const { boot } of boots.splice(oldest, 1)) forgotten.push(boot)
  if (forgotten.length > FORGOTTEN_MAX) forgotten.shift()
}

function advance(known: BootState): void {
  while (known.ahead[0] && known.ahead[0].from <= known.seq + 1) {
    known.seq = Math.max(known.seq, known.ahead[0].to)
    known.ahead.shift()
  }
}

function passOver(known: BootState): void {
  const range = known.ahead[0]
  if (!range) return
  addRun(known.missing, [known.seq + 1, range.from - 1])
  known.seq = range.from - 1
  advance(known)
}

/** Ranges stay sorted and apart; messages mostly come in order, so the search begins at the end. */
function addAhead(known: BootState, seq: number, nowMs: number): void {
  const { ahead } = known
  const index = ahead.findLastIndex((range) => range.from <= seq) + 1
  const before = ahead[index - 1]
  const after = ahead[index]
  if (before && seq <= before.to) return
  if (before && seq === before.to + 1) {
    before.to = seq
    if (after?.from === seq + 1) {
      before.to = after.to
      ahead.splice(index, 1)
    }
  } else if (after?.from === seq + 1) {
    after.from = seq
  } else {
    ahead.splice(index, 0, { from: seq, to: seq, sinceMs: nowMs })
  }
}
