import type { DoorInput, Episode, RuleTrack } from '../core/types.ts'

/** An opening without a close is an alert only when this has passed too. */
const UNCLOSED_WAIT_MS = 30_000

/** Doors of which nothing is known are closed. At the same time `open` comes before `closed`. */
export function isDoorOpenAt(doors: readonly DoorInput[], atMs: number): boolean {
  const devices = new Set(doors.map(({ deviceId }) => deviceId))
  return [...devices].some((deviceId) => {
    const past = doors.filter((door) => door.deviceId === deviceId && door.atMs <= atMs)
    const newestMs = Math.max(...past.map((door) => door.atMs))
    return past.length > 0 && past.every((door) => door.atMs < newestMs || door.isOpen)
  })
}

/** The openings of one door that lasted too long, under a rule that has never changed. */
export function referenceDoorEpisodes(
  doors: readonly DoorInput[],
  track: RuleTrack,
  judgedToMs: number,
): Episode[] {
  const version = track.versions[0]
  if (version?.condition.type !== 'door_open') return []
  const { condition, severity } = version
  return openingsOf(doors).flatMap(({ deviceId, fromMs, toMs }) => {
    const triggeredAtMs = fromMs + condition.forMs
    const isTooLong = toMs === null ? judgedToMs >= triggeredAtMs + UNCLOSED_WAIT_MS : toMs > triggeredAtMs
    if (!isTooLong) return []
    const episode: Episode = {
      deviceId,
      ruleId: track.ruleId,
      conditionType: 'door_open',
      ruleVersion: version.version,
      severity,
      startedAtMs: fromMs,
      triggeredAtMs,
      endedAtMs: toMs,
      resolution: toMs === null ? null : 'recovered',
      triggerCenti: null,
      limitCenti: null,
      peakCenti: null,
      confirmedMs: 0,
      unknownMs: 0,
      newestIsGood: toMs !== null,
    }
    return [episode]
  })
}

/** From the first open to the next close. */
function openingsOf(doors: readonly DoorInput[]) {
  const openings: { deviceId: number; fromMs: number; toMs: number | null }[] = []
  for (const door of doors.toSorted((a, b) => a.atMs - b.atMs || Number(b.isOpen) - Number(a.isOpen))) {
    const last = openings.at(-1)
    const isOpen = last !== undefined && last.toMs === null
    if (door.isOpen && !isOpen) openings.push({ deviceId: door.deviceId, fromMs: door.atMs, toMs: null })
    if (!door.isOpen && isOpen) last.toMs = door.atMs
  }
  return openings
}
