import { describe, expect, test } from 'vitest'
import { Ledger } from '../ledger/ledger.ts'
import { Random } from '../random.ts'
import { DEVICES, message, reading, START_MS } from '../testing/messages.ts'
import { randomSeed } from '../testing/rates.ts'
import { Comparison, type StoredRow } from './comparison.ts'
import { ExpectedRows } from './expected-rows.ts'
import { compareRejects } from './rejects.ts'

const SUBJECT = { organization: 'acme', devices: DEVICES, clients: ['hub-1'], startedAtMs: START_MS }

/** A ledger with one reading a time; all are acknowledged but those at the odd times. */
function ledgerOf(times: readonly number[]): Ledger {
  const ledger = new Ledger(SUBJECT)
  for (const time of times) {
    const sent = message({ readings: [reading(START_MS + time)] })
    ledger.attempt(sent)
    if (time % 2 === 0 && sent.entry) ledger.acknowledge(sent.entry)
  }
  return ledger
}

function stored(time: number, row: Partial<StoredRow> = {}): StoredRow {
  const values = { temperature: 4, humidity: null, snr: null, rssi: null, battery: null, fault: null }
  return { device: 0, at: START_MS + time, isOurs: true, values, ...row }
}

function compare(ledger: Ledger, rows: readonly StoredRow[]) {
  const comparison = new Comparison(ledger.readingRows, DEVICES.length)
  for (const row of rows) comparison.add(row)
  return comparison.finish()
}

const NO_PROBLEMS = { missing: 0, phantom: 0, wrong: 0, double: 0 }

test('all is well: what is acknowledged is stored, of the rest some', () => {
  const tally = compare(ledgerOf([0, 1, 2, 3]), [stored(2), stored(0), stored(3)])
  expect(tally).toMatchObject({ stored: 2, storedUnacknowledged: 1, problems: NO_PROBLEMS })
})

describe('each problem is found and shown', () => {
  test.each([
    ['missing', [stored(0)], 2, 'acknowledged, but not stored'],
    ['phantom', [stored(0), stored(2), stored(4)], 4, 'stored, but never sent'],
    ['double', [stored(0), stored(2), stored(0)], 0, 'stored more than once'],
    [
      'wrong',
      [stored(0), stored(2, { values: { ...stored(2).values, temperature: 4.5, fault: 'stuck' } })],
      2,
      'temperature 4.5 stored, 4 sent; fault stuck stored, null sent',
    ],
  ] as const)('%s', (kind, rows, time, detail) => {
    const { problems, examples } = compare(ledgerOf([0, 1, 2]), rows)
    expect(problems).toEqual({ ...NO_PROBLEMS, [kind]: 1 })
    expect(examples[kind]).toEqual([{ device: 0, at: START_MS + time, detail }])
  })

  test('a wrong value of what was not acknowledged is a problem too', () => {
    const wrong = stored(1, { values: { ...stored(1).values, temperature: null } })
    expect(compare(ledgerOf([1]), [wrong])).toMatchObject({
      storedUnacknowledged: 0,
      problems: { ...NO_PROBLEMS, wrong: 1 },
    })
  })

  test('ten examples at most', () => {
    const { problems, examples } = compare(ledgerOf(Array.from({ length: 30 }, (_, n) => 2 * n)), [])
    expect(problems.missing).toBe(30)
    expect(examples.missing).toHaveLength(10)
  })
})

test('rows of before the run are nobody’s business, unless they have taken one of our times', () => {
  const other = { ...stored(0).values, temperature: 9 }
  const before = [stored(-10, { isOurs: false }), stored(0, { isOurs: false, values: other })]
  expect(compare(ledgerOf([0]), before)).toMatchObject({ stored: 0, takenBefore: 1, problems: NO_PROBLEMS })
})

const seed = randomSeed()
test(`rows are found by device and time, whatever the order they were sent in (seed ${seed})`, () => {
  const random = new Random(seed, 'rows')
  const ledger = new Ledger(SUBJECT)
  const expected = new Map<string, number>()
  while (expected.size < 2_000) {
    const device = random.integer(0, DEVICES.length - 1)
    const at = START_MS + random.integer(0, 5_000)
    if (expected.has(`${device} ${at}`)) continue
    expected.set(`${device} ${at}`, expected.size)
    ledger.attempt(message({ readings: [reading(at, { device: DEVICES[device] ?? '' })] }))
  }
  const rows = new ExpectedRows(ledger.readingRows.keys, DEVICES.length)
  for (let device = 0; device < DEVICES.length; device++) {
    for (let at = START_MS - 5; at < START_MS + 5_010; at++) {
      expect(rows.find(device, at)).toBe(expected.get(`${device} ${at}`))
    }
  }
})

test('two items of the same device and time in the ledger are a mistake of the simulators', () => {
  const { keys } = ledgerOf([2, 0, 2]).readingRows
  expect(() => new ExpectedRows(keys, DEVICES.length)).toThrow('must not reuse a time')
})

test('rejects: at least what was acknowledged, at most what was sent', () => {
  const expected = new Map([
    ['clock', { sent: 3, acknowledged: 1 }],
    ['invalid', { sent: 2, acknowledged: 2 }],
  ])
  const off = (kept: Record<string, number>) =>
    compareRejects(expected, new Map(Object.entries(kept)))
      .filter(({ isOff }) => isOff)
      .map(({ reason }) => reason)
  expect(off({ clock: 1, invalid: 2 })).toEqual([])
  expect(off({ clock: 3, invalid: 2 })).toEqual([])
  expect(off({ clock: 4, invalid: 1 })).toEqual(['clock', 'invalid'])
  expect(off({ invalid: 2 })).toEqual(['clock'])
  expect(off({ clock: 2, invalid: 2, too_large: 1 })).toEqual(['too_large'])
})
