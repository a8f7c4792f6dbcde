import { vi } from 'vitest'
import { Random } from '../../simulators/random.ts'
import { type EvaluatedFleet, openEvaluatedFleet } from './evaluated-fleet.ts'
import { untilShown } from './ledger-shown.ts'
import { holdTime, openSteppedSession } from './stepped-session.ts'

const DEVICES = 2
const HOURS = 24
const MINUTES = HOURS * 60
const INTERVAL_MINUTES = 5
/** What came late comes so much later at most. */
const LATE_MINUTES = 600
/** A fold needs more than a turn has. */
const TURN_MS = 500
const READ_MS = 200
/** A part of a stream is some rows: many pages. */
const PAGE_ROWS = 25
const SAVE_MS = 300
const DEATHS_MAX = 6
/** Turns in which there is nothing new, until the clock has found all that is left. */
const TURNS_AT_REST = 12
/** Without a time of its own: it is longer while a door is open. */
const WARM = { name: 'Warm', condition: { type: 'temperature_above', limit: 5 }, severity: 'critical' }

/** A message: readings of a device, or a door that was opened and closed. */
interface Part {
  minute: number
  commitTo: (fleet: EvaluatedFleet) => Promise<unknown>
}

/** What the alerts of a stream are. */
type Facts = object[]

/**
 * The alerts of a random stream, once judged from its beginning to its end in order, and once with much of it late, by sessions that
 * have too little time for that, and die between two turns.
 */
export async function alertsOfRandomTurns(seed: string): Promise<{ inOrder: Facts; inTurns: Facts }> {
  const random = new Random(seed, 'turns')
  const parts = [...randomReadings(random), ...randomDoors(random)]
  const inOrder = await withFleet(async (fleet) => {
    for (const { commitTo } of parts) await commitTo(fleet)
    fleet.startEvaluator()
    await fleet.evaluated()
  })
  const inTurns = await withFleet(async (fleet) => {
    for (const { commitTo } of delayed(random, parts)) await commitTo(fleet)
    await untilShown(fleet.db.$client)
    holdTime()
    try {
      let deaths = 0
      while (await takeTurns(fleet, random, deaths < DEATHS_MAX)) deaths += 1
    } finally {
      vi.useRealTimers()
    }
  })
  return { inOrder, inTurns }
}

async function withFleet(judge: (fleet: EvaluatedFleet) => Promise<void>): Promise<Facts> {
  const fleet = await openEvaluatedFleet({ rules: [WARM], devices: DEVICES, minutes: MINUTES })
  try {
    await judge(fleet)
    const alerts = await fleet.alerts()
    return alerts
      .filter(({ resolution }) => resolution !== 'withdrawn')
      .map(({ started, triggered, ended, peak, confirmed }) => ({
        started,
        triggered,
        ended,
        peak,
        confirmed,
      }))
  } finally {
    await fleet.close()
  }
}

/** Takes turns until all is judged, or, where it may, until it dies. Returns whether it has died. */
async function takeTurns(fleet: EvaluatedFleet, random: Random, mayDie: boolean): Promise<boolean> {
  const given = { readMs: READ_MS, turnMs: TURN_MS, pageRows: PAGE_ROWS, saveMs: SAVE_MS }
  const { session, end } = await openSteppedSession(fleet, given)
  let rest = TURNS_AT_REST
  while (rest > 0) {
    if (!(await session.turn())) rest -= 1
    vi.advanceTimersByTime(random.chance(0.3) ? 1_000 : 150)
    if (mayDie && random.chance(0.1)) return true
  }
  await end()
  return false
}

function randomReadings(random: Random): Part[] {
  const parts: Part[] = []
  for (let device = 0; device < DEVICES; device += 1) {
    let isOut = false
    let readings: [number, number][] = []
    const send = () => {
      const message = readings
      const [first] = message
      if (first) parts.push({ minute: first[0], commitTo: (fleet) => fleet.commit(message, device) })
      readings = []
    }
    for (let minute = 0; minute < MINUTES; minute += INTERVAL_MINUTES) {
      if (random.chance(isOut ? 0.08 : 0.05)) isOut = !isOut
      if (random.chance(0.03)) continue
      const celsius = (isOut ? 6 : 3.5) + random.uniform(-1.5, 1.5)
      readings.push([minute, Math.round(celsius * 100) / 100])
      if (random.chance(0.25)) send()
    }
    send()
  }
  return parts
}

function randomDoors(random: Random): Part[] {
  const parts: Part[] = []
  for (let minute = 7; minute < MINUTES; minute += random.integer(20, 120)) {
    const openedAt = minute
    const closedAt = minute + random.integer(3, 40)
    parts.push({
      minute,
      commitTo: (fleet) =>
        fleet.commitDoors([
          [openedAt, 'open'],
          [closedAt, 'closed'],
        ]),
    })
  }
  return parts
}

/** In order of time but for some, which come much later. */
function delayed(random: Random, parts: readonly Part[]): Part[] {
  return parts
    .map((part) => ({
      part,
      atMinute: part.minute + (random.chance(0.4) ? random.uniform(0, LATE_MINUTES) : 0),
    }))
    .sort((a, b) => a.atMinute - b.atMinute)
    .map(({ part }) => part)
}
