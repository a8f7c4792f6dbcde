import { randomInt } from 'node:crypto'
import { expect, onTestFailed, test } from 'vitest'
import { decodeDoors } from './doors.ts'
import { decodeReadings } from './readings.ts'
import { decodeStatus } from './status.ts'

const DEVICE = '24e124136b502f4a'
const NOW_MS = Date.UTC(2026, 10, 20, 10, 20)
const ROUNDS = 3_000

/** FUZZ_SEED repeats a run. */
const seed = Number(process.env['FUZZ_SEED'] ?? randomInt(2 ** 31))

/** mulberry32: a small seeded generator; good enough to choose test cases. */
function generator(start: number): (below: number) => number {
  let state = start
  return (below) => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below
  }
}

type Random = ReturnType<typeof generator>

const VALUES: readonly unknown[] = [
  DEVICE,
  'a840410001180f3e',
  'x',
  '',
  null,
  true,
  0,
  -0,
  3.4,
  88,
  -91,
  1e300,
  NOW_MS,
  NOW_MS / 1000,
  '2026-11-20T10:15:00Z',
  '2026-02-30T10:15:00Z',
  'open',
  'closed',
  'no_probe',
  [],
  {},
  [[]],
  '\u0000',
  '\ud800',
]
const FIELDS = [
  'device',
  'at',
  'temperature',
  'humidity',
  'battery',
  'rssi',
  'snr',
  'fault',
  'state',
  '__proto__',
]

function pick<T>(random: Random, choices: readonly T[]): T {
  return choices[random(choices.length)] as T
}

function randomItem(random: Random): unknown {
  if (random(10) === 0) return pick(random, VALUES)
  const item: Record<string, unknown> = { device: DEVICE, at: NOW_MS, temperature: 4, state: 'open' }
  for (let change = random(3); change > 0; change--) item[pick(random, FIELDS)] = pick(random, VALUES)
  return item
}

function randomMessage(random: Random): unknown {
  const items = Array.from({ length: random(6) }, () => randomItem(random))
  const fields = { boot: pick(random, VALUES), seq: pick(random, VALUES), sent_at: pick(random, VALUES) }
  return pick(random, [items, items[0], { ...fields, readings: items }, { ...fields, events: items }, fields])
}

/** A valid text, a damaged one, or noise. */
function randomPayload(random: Random): Buffer {
  const bytes = Buffer.from(JSON.stringify(randomMessage(random)) ?? '')
  for (let change = Math.max(0, random(6) - 3); change > 0; change--) {
    if (bytes.length > 0) bytes[random(bytes.length)] = random(256)
  }
  if (random(10) === 0) return bytes.subarray(0, random(bytes.length + 1))
  return random(10) === 0 ? Buffer.from(Array.from({ length: random(64) }, () => random(256))) : bytes
}

/** How many items the bytes hold by the rules of the protocol; null if the message must be rejected whole. */
function countItems(
  payload: Buffer,
  listKey: 'readings' | 'events',
  fields: readonly string[],
): number | null {
  let value: unknown
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(payload))
  } catch {
    return null
  }
  if (Array.isArray(value)) return value.length || null
  if (typeof value !== 'object' || value === null) return null
  const fieldValues = new Map(Object.entries(value))
  const list: unknown = fieldValues.get(listKey)
  if (Array.isArray(list)) return list.length || null
  if (list !== undefined && list !== null) return null
  return fields.some((field) => (fieldValues.get(field) ?? null) !== null) ? 1 : null
}

test(`whatever the bytes, every item is accounted for (FUZZ_SEED=${seed})`, () => {
  onTestFailed(() => {
    process.stderr.write(`FUZZ_SEED=${seed}\n`)
  })
  const random = generator(seed)
  const doorFields = ['device', 'at', 'state']
  const readingFields = FIELDS.filter((field) => field !== 'state' && field !== '__proto__')
  const seen = { accepted: 0, rejected: 0, whole: 0 }
  for (let round = 0; round < ROUNDS; round++) {
    const payload = randomPayload(random)
    const context = { receivedAtMs: NOW_MS, ...(random(2) === 0 && { impliedDevEui: DEVICE }) }
    check(decodeReadings(payload, context), countItems(payload, 'readings', readingFields))
    check(decodeDoors(payload, context), countItems(payload, 'events', doorFields))
    decodeStatus(payload, context)
  }
  // Otherwise the generator has stopped reaching a part of the rules.
  expect(Math.min(seen.accepted, seen.rejected, seen.whole)).toBeGreaterThan(ROUNDS / 10)

  function check(decoded: ReturnType<typeof decodeReadings | typeof decodeDoors>, expected: number | null) {
    const { items, rejects } = decoded
    if (expected === null) {
      expect(items).toEqual([])
      expect(rejects).toMatchObject([{ item: null }])
      seen.whole++
      return
    }
    const indexes = [...items, ...rejects].map(({ item }) => item ?? -1).sort((a, b) => a - b)
    expect(indexes).toEqual(Array.from({ length: expected }, (_, index) => index))
    seen.accepted += items.length
    seen.rejected += rejects.length
    for (const { device, atMs } of items) {
      expect(device).toMatch(/^[0-9a-f]{16}$/)
      expect(atMs === null || Number.isSafeInteger(atMs)).toBe(true)
    }
  }
})
