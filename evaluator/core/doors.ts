import { raisedSpans, spanEpisode } from './raised.ts'
import type { DoorInput, Episode, RuleTrack } from './types.ts'

/** An open door without a close is raised so long after it is due: its close may be on its way. */
const DOOR_PATIENCE_MS = 30_000
/** A connected hub that has said nothing for so long has nothing old to tell. */
const HUB_QUIET_MS = 60_000

/** One door from the first open to the next closed. */
interface Opening {
  deviceId: number
  openedAtMs: number
  /** When we heard of it. */
  receivedAtMs: number
  /** Null while it is open. */
  closedAtMs: number | null
}

/** The doors of a unit: open while any of them is, and closed where nothing is known. */
export interface DoorTimeline {
  /** In order of `openedAtMs`. */
  readonly openings: readonly Opening[]
  isOpenAt(atMs: number): boolean
  /** Since when the unit has been open without a break; null = it is closed. */
  openSinceMs(atMs: number): number | null
}

export function doorTimeline(events: readonly DoorInput[]): DoorTimeline {
  const openings = openingsOf([...events].sort(inOrder))
  const times = openTimes(openings)
  const openSinceMs = (atMs: number): number | null => {
    const time = times[lastFrom(times, atMs)]
    return time !== undefined && atMs < time.toMs ? time.fromMs : null
  }
  return { openings, openSinceMs, isOpenAt: (atMs) => openSinceMs(atMs) !== null }
}

/**
 * Doors open for longer than a rule allows. `judgedToMs`: how far a door that is still open can be judged, by the horizon of
 * its hub. Openings are those of each device: two doors that are open by turns are not one open door.
 */
export function doorEpisodes(
  timeline: DoorTimeline,
  track: RuleTrack,
  options: { judgedToMs: (deviceId: number) => number },
): Episode[] {
  return timeline.openings.flatMap(({ deviceId, openedAtMs, receivedAtMs, closedAtMs }) =>
    raisedSpans(
      track,
      { fromMs: openedAtMs, endMs: closedAtMs, receivedAtMs },
      {
        dueAt: (condition) => (condition.type === 'door_open' ? openedAtMs + condition.forMs : Infinity),
        judgedToMs: options.judgedToMs(deviceId) - DOOR_PATIENCE_MS,
      },
    ).map((span) => spanEpisode(track, deviceId, span)),
  )
}

/**
 * How far the doors of a hub can be judged: up to its newest event, or to the clock once it is connected and quiet. So a
 * backlog that comes oldest first raises nothing that its own end disproves. What was judged stays judged: `beforeMs` is the
 * horizon so far, -Infinity at first.
 */
export function doorHorizon(hub: {
  nowMs: number
  hubNewestEventMs: number | null
  /** When its newest message arrived; null = none is known. */
  hubQuietSinceMs: number | null
  hubConnected: boolean
  beforeMs: number
}): number {
  const isQuiet = hub.hubConnected && hub.nowMs - (hub.hubQuietSinceMs ?? -Infinity) >= HUB_QUIET_MS
  return Math.max(hub.beforeMs, hub.hubNewestEventMs ?? -Infinity, isQuiet ? hub.nowMs : -Infinity)
}

/** By evaluation time, open before closed; the rest only makes the order one and the same every time. */
function inOrder(a: DoorInput, b: DoorInput): number {
  return (
    a.atMs - b.atMs ||
    Number(b.isOpen) - Number(a.isOpen) ||
    a.deviceId - b.deviceId ||
    a.receivedAtMs - b.receivedAtMs
  )
}

function openingsOf(events: readonly DoorInput[]): Opening[] {
  const openings: Opening[] = []
  const open = new Map<number, Opening>()
  for (const { deviceId, atMs, receivedAtMs, isOpen } of events) {
    const opening = open.get(deviceId)
    if (isOpen && opening === undefined) {
      const next = { deviceId, openedAtMs: atMs, receivedAtMs, closedAtMs: null }
      open.set(deviceId, next)
      openings.push(next)
    } else if (!isOpen && opening !== undefined) {
      opening.closedAtMs = atMs
      open.delete(deviceId)
    }
  }
  return openings
}

interface OpenTime {
  fromMs: number
  toMs: number
}

/** The union of the openings: in order, apart from each other. */
function openTimes(openings: readonly Opening[]): OpenTime[] {
  const times: OpenTime[] = []
  for (const { openedAtMs, closedAtMs } of openings) {
    const last = times.at(-1)
    const toMs = closedAtMs ?? Infinity
    if (last !== undefined && openedAtMs <= last.toMs) last.toMs = Math.max(last.toMs, toMs)
    else times.push({ fromMs: openedAtMs, toMs })
  }
  return times
}

/** The index of the last time that begins at or before `atMs`; -1 = none. */
function lastFrom(times: readonly OpenTime[], atMs: number): number {
  let low = 0
  let high = times.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((times[middle] as OpenTime).fromMs <= atMs) low = middle + 1
    else high = middle
  }
  return low - 1
}
