/** We may still be catching up for so long after a downtime of our own. */
const RECOVERY_MS = 120_000

/** A time that is not held against a device. */
export interface Pause {
  fromMs: number
  /** Null while it lasts. */
  toMs: number | null
}

/** Our own downtimes, each with the time that we need to catch up, and the outages of a hub: in order, without overlaps. */
export function allPauses(downtimes: readonly Pause[], hubOutages: readonly Pause[]): Pause[] {
  const extended = downtimes.map(({ fromMs, toMs }) => ({
    fromMs,
    toMs: toMs === null ? null : toMs + RECOVERY_MS,
  }))
  const merged: Pause[] = []
  for (const pause of [...extended, ...hubOutages].sort((a, b) => a.fromMs - b.fromMs)) {
    const last = merged.at(-1)
    if (last !== undefined && pause.fromMs <= endMs(last)) last.toMs = later(last.toMs, pause.toMs)
    else merged.push({ ...pause })
  }
  return merged
}

/** The time between two instants that no pause covers. */
export function unpausedMs(fromMs: number, toMs: number, pauses: readonly Pause[]): number {
  let restMs = Math.max(0, toMs - fromMs)
  for (const pause of pauses) {
    restMs -= Math.max(0, Math.min(endMs(pause), toMs) - Math.max(pause.fromMs, fromMs))
  }
  return restMs
}

/** The instant at which so much unpaused time has passed; Infinity = not before a pause that still lasts ends. */
export function instantAfter(fromMs: number, ms: number, pauses: readonly Pause[]): number {
  let atMs = fromMs
  let restMs = ms
  for (const pause of pauses) {
    if (endMs(pause) <= atMs) continue
    const untilPauseMs = Math.max(0, pause.fromMs - atMs)
    if (restMs <= untilPauseMs) break
    restMs -= untilPauseMs
    atMs = endMs(pause)
  }
  return atMs + restMs
}

function endMs(pause: Pause): number {
  return pause.toMs ?? Infinity
}

function later(a: number | null, b: number | null): number | null {
  return a === null || b === null ? null : Math.max(a, b)
}
