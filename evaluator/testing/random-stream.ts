import type { Random } from '../../simulators/random.ts'
import type { DeviceConfig, DoorInput, Input, ReadingInput, UnitConfig } from '../core/types.ts'
import { MIDDLE_CENTI, randomInstant, STEP_CENTI, STREAM_FROM_MS, STREAM_MS } from './random-unit.ts'

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS

/** What goes wrong for a while; each device meets each of them by its own chance. */
interface Spells {
  excursion: Spell[]
  stuck: Spell[]
  fault: Spell[]
  silent: Spell[]
  /** Buffered at the hub, and sent at the end of the spell. */
  away: Spell[]
  fastClock: Spell[]
  slowClock: Spell[]
}

interface Spell {
  fromMs: number
  toMs: number
}

/** Everything that a unit's devices send, in the order in which it arrives; resends are there twice. */
export function randomStream(random: Random, unit: UnitConfig): Input[] {
  const inputs = unit.devices.flatMap((device): Input[] =>
    device.hasTemperature ? randomReadings(random, device) : randomDoors(random, device),
  )
  const resent = inputs.filter(() => random.chance(0.02))
  return [...inputs, ...resent]
    .map((input, index) => ({ input, index, arrivesMs: input.receivedAtMs }))
    .map((arrival) =>
      arrival.index < inputs.length ? arrival : { ...arrival, arrivesMs: arrival.arrivesMs + HOUR_MS },
    )
    .toSorted((a, b) => a.arrivesMs - b.arrivesMs)
    .map(({ input }) => input)
}

function randomReadings(random: Random, device: DeviceConfig): ReadingInput[] {
  const spells: Spells = {
    excursion: randomSpells(random, 4, 3 * HOUR_MS),
    stuck: randomSpells(random, 1, 3 * HOUR_MS),
    fault: randomSpells(random, 1, HOUR_MS),
    silent: randomSpells(random, 1, 7 * HOUR_MS),
    away: randomSpells(random, 2, 6 * HOUR_MS),
    fastClock: randomSpells(random, 0.4, 3 * HOUR_MS),
    slowClock: randomSpells(random, 0.4, 3 * HOUR_MS),
  }
  const newestFirst = random.chance(0.3)
  const readings: ReadingInput[] = []
  let offsetCenti = 0
  let battery = random.integer(18, 40)
  const intervalMs = device.intervalMs[0]?.value ?? 5 * MINUTE_MS
  const lostShare = random.pick([0, 0.05, 0.3])
  const jitterMs = random.pick([0, 0, 20_000])
  for (let dueMs = STREAM_FROM_MS; dueMs < STREAM_FROM_MS + STREAM_MS; dueMs += intervalMs) {
    if (!isIn(spells.stuck, dueMs)) offsetCenti = wander(random, offsetCenti, isIn(spells.excursion, dueMs))
    if (random.chance(0.03)) battery += random.integer(-8, 6)
    if (isIn(spells.silent, dueMs) || random.chance(lostShare)) continue
    const measuredMs = dueMs + (jitterMs === 0 ? 0 : random.integer(0, jitterMs))
    const recordedAtMs = measuredMs + clockErrorMs(spells, dueMs)
    const receivedAtMs = arrivalMs(spells, measuredMs, newestFirst) + random.integer(0, 2_000)
    const fault = isIn(spells.fault, dueMs) && random.chance(0.7) ? 'no_probe' : null
    readings.push({
      kind: 'reading',
      deviceId: device.deviceId,
      atMs: Math.min(recordedAtMs, receivedAtMs),
      recordedAtMs,
      receivedAtMs,
      temperatureCenti: fault !== null || random.chance(0.02) ? null : MIDDLE_CENTI + offsetCenti,
      battery: random.chance(0.7) ? battery : null,
      fault,
    })
  }
  return uniqueBy(readings, ({ recordedAtMs }) => recordedAtMs)
}

function randomDoors(random: Random, device: DeviceConfig): DoorInput[] {
  const events: DoorInput[] = []
  for (const { fromMs, toMs } of randomSpells(random, 12, HOUR_MS)) {
    const receivedAtMs = random.chance(0.2) ? toMs + 2 * HOUR_MS : fromMs + 1_000
    events.push(doorEvent(device, { atMs: fromMs, receivedAtMs, isOpen: true }))
    // Now and then a close is lost, or an event repeated.
    if (random.chance(0.9)) events.push(doorEvent(device, { atMs: toMs, receivedAtMs: toMs, isOpen: false }))
    if (random.chance(0.2)) {
      events.push(doorEvent(device, { atMs: fromMs + MINUTE_MS, receivedAtMs: toMs, isOpen: true }))
    }
  }
  return uniqueBy(events, ({ recordedAtMs, isOpen }) => `${recordedAtMs} ${isOpen}`)
}

function doorEvent(
  device: DeviceConfig,
  { atMs, receivedAtMs, isOpen }: { atMs: number; receivedAtMs: number; isOpen: boolean },
): DoorInput {
  const base = { kind: 'door', deviceId: device.deviceId, recordedAtMs: atMs, isOpen } as const
  return { ...base, atMs: Math.min(atMs, receivedAtMs), receivedAtMs }
}

/** In steps, mostly small ones, drawn to the good side or, in an excursion, to either bad one. */
function wander(random: Random, offsetCenti: number, isExcursion: boolean): number {
  if (isExcursion && random.chance(0.1)) return STEP_CENTI * random.integer(-8, 8)
  const aimCenti = isExcursion ? Math.sign(offsetCenti || 1) * 4 * STEP_CENTI : 0
  const step = random.integer(-1, 1) + Math.sign(aimCenti - offsetCenti) * random.integer(0, 1)
  return offsetCenti + STEP_CENTI * step
}

function clockErrorMs(spells: Spells, atMs: number): number {
  if (isIn(spells.fastClock, atMs)) return 2 * HOUR_MS
  return isIn(spells.slowClock, atMs) ? -90 * MINUTE_MS : 0
}

function arrivalMs(spells: Spells, measuredMs: number, newestFirst: boolean): number {
  const away = spells.away.find((spell) => measuredMs >= spell.fromMs && measuredMs < spell.toMs)
  if (!away) return measuredMs
  // Sent within ten seconds when the hub is back, in the order of the buffer.
  const share = (measuredMs - away.fromMs) / (away.toMs - away.fromMs)
  return away.toMs + Math.round((newestFirst ? 1 - share : share) * 10_000)
}

function randomSpells(random: Random, mean: number, lengthMs: number): Spell[] {
  const count = Math.floor(mean * 2 * random.next() + 0.5)
  return Array.from({ length: count }, () => {
    const fromMs = randomInstant(random)
    return { fromMs, toMs: fromMs + MINUTE_MS * random.integer(1, lengthMs / MINUTE_MS) }
  })
}

function isIn(spells: readonly Spell[], atMs: number): boolean {
  return spells.some(({ fromMs, toMs }) => atMs >= fromMs && atMs < toMs)
}

function uniqueBy<T>(items: readonly T[], key: (item: T) => unknown): T[] {
  return [...new Map(items.map((item) => [key(item), item])).values()]
}
