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
  /** Passed over, newest last. */
  missing: number[]
  ahead: Range[]
}

/** Boots of one hub, the newest last; an older one may still send what it had buffered. */
export type HubReceiptState = BootState[]

/** A hub that restarts often is followed this many boots back. */
const BOOTS_MAX = 4
/** `missing` lists the newest of a larger gap. */
const MISSING_MAX = 1_000
/** A hub whose messages arrive in more pieces has its oldest gap passed over at once. */
const RANGES_MAX = 1_000

/** Takes note that a message has arrived, before it is durable: the first of a new boot fixes where the boot begins. */
export function noteSeen(state: HubReceiptState, boot: string, seq: number): void {
  if (state.some((known) => known.boot === boot)) return
  state.push({ boot, first: seq, seq: seq - 1, missing: [], ahead: [] })
  if (state.length > BOOTS_MAX) state.shift()
}

/** Takes note that a message is durable. A boot not seen before begins here. */
export function noteDurable(state: HubReceiptState, boot: string, seq: number, nowMs: number): void {
  noteSeen(state, boot, seq)
  const known = state.find((candidate) => candidate.boot === boot)
  if (!known || seq < known.first) return
  if (seq <= known.seq) {
    const index = known.missing.indexOf(seq)
    if (index >= 0) known.missing.splice(index, 1)
    return
  }
  addAhead(known, seq, nowMs)
  advance(known)
  if (known.ahead.length > RANGES_MAX) passOver(known)
}

/** Passes over the gaps that are older than `gapSeconds`. Returns whether one was. */
export function passOverOldGaps(state: HubReceiptState, nowMs: number, gapSeconds: number): boolean {
  let changed = false
  for (const known of state) {
    while (known.ahead[0] && nowMs - known.ahead[0].sinceMs >= gapSeconds * 1000) {
      passOver(known)
      changed = true
    }
  }
  return changed
}

export function hasGaps(state: HubReceiptState): boolean {
  return state.some((known) => known.ahead.length > 0)
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
  const from = Math.max(known.seq + 1, range.from - MISSING_MAX)
  for (let seq = from; seq < range.from; seq++) known.missing.push(seq)
  known.missing.splice(0, known.missing.length - MISSING_MAX)
  known.seq = range.from - 1
  advance(known)
}

/** Ranges stay sorted and apart; messages mostly come in order, so the search begins at the end. */
function addAhead(known: BootState, seq: number, nowMs: number): void {
  const { ahead } = known
  let index = ahead.length
  while (index > 0 && (ahead[index - 1]?.from ?? 0) > seq) index -= 1
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
