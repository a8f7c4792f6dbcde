import type { DoorState } from '../copy/doors.ts'

/** A door event of one device, stored already or new. Times are epoch milliseconds. */
export interface DoorMoment {
  occurredAtMs: number
  state: DoorState
}

export interface StoredDoorMoment extends DoorMoment {
  durationSeconds: number | null
}

export interface DoorDurations {
  /** For each new event in the order given: the seconds of the opening that this close ends, else null. */
  durations: (number | null)[]
  /** New events that are stored already, by their index. */
  duplicates: Set<number>
  /** Stored closes whose duration changes because of the new events. */
  corrections: { occurredAtMs: number; durationSeconds: number | null }[]
}

/**
 * Finds which opening each close ends: the first open after the close before it (repeats change nothing; at equal
 * times the open comes first). `stored` holds what the device's new events can touch: see `doorNeighbours`.
 */
export function doorDurations(
  fresh: readonly DoorMoment[],
  stored: readonly StoredDoorMoment[],
): DoorDurations {
  const durations: (number | null)[] = fresh.map(() => null)
  const duplicates = new Set<number>()
  const corrections: DoorDurations['corrections'] = []
  let openedAtMs: number | null = null
  let previous: Moment | undefined

  for (const moment of inOrder(fresh, stored)) {
    const repeated = previous?.occurredAtMs === moment.occurredAtMs && previous.state === moment.state
    previous = moment
    if (repeated) {
      if (moment.index !== null) duplicates.add(moment.index)
      continue
    }
    if (moment.state === 'open') {
      openedAtMs ??= moment.occurredAtMs
      continue
    }
    const seconds = openedAtMs === null ? null : (moment.occurredAtMs - openedAtMs) / 1000
    openedAtMs = null
    if (moment.index !== null) durations[moment.index] = seconds
    else if (moment.durationSeconds !== seconds) {
      corrections.push({ occurredAtMs: moment.occurredAtMs, durationSeconds: seconds })
    }
  }
  return { durations, duplicates, corrections }
}

/** `index` points into the new events and is null for a stored one. */
type Moment = StoredDoorMoment & { index: number | null }

/** By time, at equal times open first, and of the same event the stored one first. */
function inOrder(fresh: readonly DoorMoment[], stored: readonly StoredDoorMoment[]): Moment[] {
  return [
    ...stored.map((moment) => ({ ...moment, index: null })),
    ...fresh.map((moment, index) => ({ ...moment, durationSeconds: null, index })),
  ].sort(
    (a, b) =>
      a.occurredAtMs - b.occurredAtMs ||
      rank(a.state) - rank(b.state) ||
      Number(a.index !== null) - Number(b.index !== null),
  )
}

function rank(state: DoorState): number {
  return state === 'open' ? 0 : 1
}
