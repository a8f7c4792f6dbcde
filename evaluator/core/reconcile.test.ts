import { describe, expect, test } from 'vitest'
import { Random } from '../../simulators/random.ts'
import { applyChanges, type KeptRow, liveRows, rowOf } from '../testing/alert-rows.ts'
import { episodeOf, factsOf, seconds, trackOf } from '../testing/words.ts'
import { mergeEpisodes } from './merge.ts'
import { type AlertChange, reconcile } from './reconcile.ts'
import type { AlertRow } from './take-over.ts'
import type { AlertFacts, Episode } from './types.ts'

const OUT = { isOut: () => true }
const IN = { isOut: () => false }
const BY_DATA = { resolvedBy: 'data', resolvedAtMs: 5000 } as const
const BY_PERSON = { resolvedBy: 'person', resolvedAtMs: 5000 } as const

describe('an alert without a row', () => {
  test('is opened while it runs', () => {
    const facts = factsOf(100, null)
    expect(reconcile([], [facts], OUT)).toEqual([{ kind: 'insert', facts, retrospective: false }])
  })

  test('that has ended before it was first detected is retrospective', () => {
    const facts = factsOf(100, 200)
    expect(reconcile([], [facts], IN)).toEqual([{ kind: 'insert', facts, retrospective: true }])
  })
})

describe('a row whose alert is what it says', () => {
  test.each([
    ['open', factsOf(100, null), {}],
    ['resolved', factsOf(100, 200), BY_DATA],
    ['resolved by a person', factsOf(100, 200), BY_PERSON],
    ['resolved by a person, and not over', factsOf(100, null), BY_PERSON],
  ] as const)('stays as it is: %s', (_name, facts, other) => {
    expect(reconcile([rowOf(facts, other)], [{ ...facts }], OUT)).toEqual([])
  })

  test("also where it says no resolution but the person's", () => {
    const row = rowOf({ ...factsOf(100, 200), resolution: null }, BY_PERSON)
    expect(reconcile([row], [factsOf(100, 200)], IN)).toEqual([])
    expect(reconcile([{ ...row, ...BY_DATA }], [factsOf(100, 200)], IN)).toMatchObject([{ kind: 'amend' }])
  })

  test('durations count in whole seconds, as rows keep them', () => {
    const facts = factsOf(100, null, { confirmedMs: 3999, unknownMs: 1001 })
    const row = rowOf({ ...facts, confirmedMs: 3000, unknownMs: 1000 })
    expect(reconcile([row], [facts], OUT)).toEqual([])
    expect(reconcile([row], [{ ...facts, confirmedMs: 4000 }], OUT)).toHaveLength(1)
  })
})

describe('an open row', () => {
  const row = rowOf(factsOf(100, null, { confirmedMs: 5000, unknownMs: 2000 }), { wasPaged: true })

  test('grows with its excursion, which is no correction', () => {
    const facts = { ...row.facts, confirmedMs: 9000, unknownMs: 3000, peakCenti: 999 }
    expect(reconcile([row], [facts], OUT)).toEqual([{ kind: 'grow', id: 1, facts }])
  })

  test.each<[string, Partial<AlertFacts>]>([
    ['started', { startedAtMs: 50 }],
    ['triggered', { triggeredAtMs: 150 }],
    ['version', { ruleVersion: 2 }],
    ['severity', { severity: 'info' }],
    ['less confirmed', { confirmedMs: 4000 }],
    ['less unknown', { unknownMs: 1000 }],
  ])('is amended by other facts: %s', (_name, other) => {
    const facts = { ...row.facts, ...other }
    expect(reconcile([row], [facts], OUT)).toEqual([{ kind: 'amend', id: 1, facts }])
  })

  test('is resolved when its alert has recovered; whoever was paged is told', () => {
    const facts = factsOf(100, 900)
    expect(reconcile([row], [facts], IN)).toEqual([
      { kind: 'resolve', id: 1, facts, retrospective: false, recovery: true },
    ])
  })

  test('that data end before anybody was paged is retrospective', () => {
    const facts = factsOf(100, 900)
    expect(reconcile([{ ...row, wasPaged: false }], [facts], IN)).toEqual([
      { kind: 'resolve', id: 1, facts, retrospective: true, recovery: false },
    ])
  })

  test('whose rule no longer holds ends rule_changed, without a notice of recovery', () => {
    const facts = factsOf(100, 900, { resolution: 'rule_changed' })
    expect(reconcile([row], [facts], OUT)).toEqual([
      { kind: 'resolve', id: 1, facts, retrospective: false, recovery: false },
    ])
  })

  test('is taken by the latest-ending episode that it overlaps; the others are told as they were', () => {
    const first = factsOf(100, 300)
    const last = factsOf(500, null)
    for (const facts of [
      [first, last],
      [last, first],
    ]) {
      expect(reconcile([row], facts, OUT)).toEqual([
        { kind: 'amend', id: 1, facts: last },
        { kind: 'insert', facts: first, retrospective: true },
      ])
    }
  })

  test('is not taken by an episode that was over before it began', () => {
    const earlier = factsOf(10, 90)
    expect(reconcile([row], [earlier, row.facts], OUT)).toEqual([
      { kind: 'insert', facts: earlier, retrospective: true },
    ])
  })
})

describe('an open row without an episode', () => {
  const row = rowOf(factsOf(100, null), { wasPaged: true })

  test('is kept, marked unproven, while its device is still out', () => {
    expect(reconcile([row], [], OUT)).toEqual([{ kind: 'keep_unproven', id: 1 }])
    expect(reconcile([{ ...row, unproven: true }], [], OUT)).toEqual([])
  })

  test.each([false, true])('is withdrawn otherwise, with one correction to whoever was paged', (unproven) => {
    expect(reconcile([{ ...row, unproven }], [], IN)).toEqual([{ kind: 'withdraw', id: 1, correction: true }])
    expect(reconcile([{ ...row, unproven, wasPaged: false }], [], IN)).toEqual([
      { kind: 'withdraw', id: 1, correction: false },
    ])
  })

  test('is proven again by an episode', () => {
    const facts = { ...row.facts }
    expect(reconcile([{ ...row, unproven: true }], [facts], OUT)).toEqual([{ kind: 'amend', id: 1, facts }])
  })

  test('S28: paged, unproven by a late good reading, withdrawn by the next one with one correction', () => {
    const judged = (rows: readonly KeptRow[], now: number, episodes: readonly Episode[], isOut: boolean) => {
      const facts = mergeEpisodes({ unitId: 1 }, trackOf({ type: 'temperature_above', ...LIMIT }), episodes)
      const changes = reconcile(liveRows(rows), facts, { isOut: () => isOut })
      return { changes, rows: applyChanges(rows, changes, seconds(now)) }
    }
    // 5.5 at 300, 5.6 at 900: 600 s beyond 5.
    const raised = judged([], 902, [episodeOf(seconds(300), null, { triggeredAtMs: seconds(900) })], true)
    expect(raised.changes).toMatchObject([{ kind: 'insert', retrospective: false }])
    const paged = raised.rows.map((one) => ({ ...one, wasPaged: true }))
    // 4.0 of 600 comes at 1000: what runs since 900 is pending.
    const unproven = judged(paged, 1000, [], true)
    expect(unproven.changes).toMatchObject([{ kind: 'keep_unproven' }])
    const withdrawn = judged(unproven.rows, 1202, [], false)
    expect(withdrawn.changes).toEqual([{ kind: 'withdraw', id: 1, correction: true }])
    expect(withdrawn.rows).toMatchObject([{ withdrawn: true, resolvedAtMs: seconds(1202) }])
    expect(judged(withdrawn.rows, 1502, [], false).changes).toEqual([])
  })
})

describe('a resolved row', () => {
  const facts = factsOf(100, 900)

  test('is amended by other facts, which pages nobody', () => {
    const other = factsOf(100, 800)
    expect(reconcile([rowOf(facts, BY_DATA)], [other], IN)).toEqual([{ kind: 'amend', id: 1, facts: other }])
  })

  test('is reopened, with one notice to whoever was paged, if data had resolved it', () => {
    const running = factsOf(100, null)
    expect(reconcile([rowOf(facts, { ...BY_DATA, wasPaged: true })], [running], OUT)).toEqual([
      { kind: 'reopen', id: 1, facts: running, notice: true },
    ])
    expect(reconcile([rowOf(facts, BY_DATA)], [running], OUT)).toMatchObject([
      { kind: 'reopen', notice: false },
    ])
  })

  test('is never reopened if a person had resolved it; its facts are told as they are', () => {
    const running = factsOf(100, null)
    expect(reconcile([rowOf(facts, BY_PERSON)], [running], OUT)).toEqual([
      { kind: 'amend', id: 1, facts: running },
    ])
  })

  test('by a person does not take an excursion that begins after that', () => {
    const running = factsOf(6000, null)
    const row = rowOf(factsOf(100, null), BY_PERSON)
    expect(reconcile([row], [factsOf(100, 900), running], OUT)).toEqual([
      { kind: 'amend', id: 1, facts: factsOf(100, 900) },
      { kind: 'insert', facts: running, retrospective: false },
    ])
    expect(reconcile([row], [running], OUT)).toMatchObject([{ kind: 'withdraw' }, { kind: 'insert' }])
  })

  test('without an episode is withdrawn at once, also while its device is out again', () => {
    for (const by of [BY_DATA, BY_PERSON]) {
      expect(reconcile([rowOf(facts, { ...by, wasPaged: true })], [], OUT)).toEqual([
        { kind: 'withdraw', id: 1, correction: true },
      ])
    }
  })

  test('is taken by the episode with its start, else by the one that it overlaps most', () => {
    const row = rowOf(facts, BY_DATA)
    const same = factsOf(100, 200)
    const longer = factsOf(300, 850)
    const short = factsOf(110, 130)
    expect(reconcile([row], [longer, same], IN)).toMatchObject([
      { kind: 'amend', facts: same },
      { kind: 'insert' },
    ])
    expect(reconcile([row], [short, longer], IN)).toMatchObject([
      { kind: 'amend', facts: longer },
      { kind: 'insert', facts: short },
    ])
  })

  test('is not taken by what only touches it', () => {
    const next = factsOf(900, null)
    expect(reconcile([rowOf(facts, BY_DATA)], [facts, next], OUT)).toEqual([
      { kind: 'insert', facts: next, retrospective: false },
    ])
    expect(reconcile([rowOf(facts, BY_DATA)], [next], OUT)).toMatchObject([
      { kind: 'withdraw' },
      { kind: 'insert' },
    ])
  })
})

describe('rows of several devices', () => {
  test('go on with the alerts of their own device', () => {
    const facts = [factsOf(100, null, { deviceId: 1 }), factsOf(100, 500, { deviceId: 2 })]
    const rows = [
      rowOf(factsOf(100, null, { deviceId: 2 }), { id: 2 }),
      rowOf(factsOf(100, null, { deviceId: 3 }), { id: 3 }),
    ]
    expect(reconcile(rows, facts, { isOut: (row) => row.id === 3 })).toMatchObject([
      { kind: 'keep_unproven', id: 3 },
      { kind: 'resolve', id: 2, facts: facts[1] },
      { kind: 'insert', facts: facts[0] },
    ])
  })
})

describe('silence', () => {
  const silent = { conditionType: 'no_data', alertType: 'monitoring_interrupted', deviceId: 1 } as const

  test('is known by the reading that it began with: one may begin before the one before it ended', () => {
    const before = rowOf(factsOf(100, 900, silent), BY_DATA)
    const next = factsOf(800, null, silent)
    expect(reconcile([before], [next], OUT)).toEqual([{ kind: 'insert', facts: next, retrospective: false }])
  })

  test('that was is not withdrawn', () => {
    expect(reconcile([rowOf(factsOf(100, 900, silent), BY_DATA)], [], IN)).toEqual([])
    expect(reconcile([rowOf(factsOf(100, null, silent))], [], IN)).toMatchObject([{ kind: 'withdraw' }])
  })

  test('of a hub is one row of its own', () => {
    const hub = factsOf(100, null, { ...silent, unitId: null, deviceId: null, hubId: 7 })
    const rows = [rowOf(factsOf(100, 200, silent), BY_DATA), rowOf(hub, { id: 2 })]
    const ended: AlertFacts = { ...hub, endedAtMs: 900, resolution: 'recovered' }
    expect(reconcile(rows, [ended], IN)).toMatchObject([{ kind: 'resolve', id: 2 }])
  })
})

describe('over random corrections', () => {
  const seed = Math.floor(Math.random() * 2 ** 31)

  test('the rows say the facts, what a person resolved stays so, and nothing is done twice', () => {
    for (let round = 0; round < 300; round++) {
      const random = new Random(seed, String(round))
      const message = `seed ${seed}, round ${round}`
      let rows: KeptRow[] = []
      for (let commit = 0; commit < 12; commit++) {
        const facts = randomFacts(random)
        const isOut = random.chance(0.5)
        const context = { isOut: () => isOut }
        const before = rows
        const changes = reconcile(liveRows(rows), facts, context)
        rows = applyChanges(rows, changes, 10_000 + commit)
        expect(proven(rows), message).toEqual(facts.map(comparable))
        expect(reconcile(liveRows(rows), facts, context), message).toEqual([])
        expectKept(before, rows, { changes, isOut, message })
        rows = rows.map((row) => journal(row, random, 10_000 + commit))
      }
    }
  })

  function expectKept(
    before: readonly KeptRow[],
    after: readonly KeptRow[],
    { changes, isOut, message }: { changes: readonly AlertChange[]; isOut: boolean; message: string },
  ): void {
    for (const row of before) {
      const now = after.find(({ id }) => id === row.id) as KeptRow
      expect(now.wasPaged, message).toBe(row.wasPaged)
      if (row.withdrawn) expect(now, message).toEqual(row)
      if (row.resolvedBy === 'person') expect(now.resolvedBy, message).toBe('person')
      const isWithdrawn = now.withdrawn && !row.withdrawn
      if (isWithdrawn && row.resolvedAtMs === null) expect(isOut, message).toBe(false)
      const told = changes.filter((change) => change.kind === 'withdraw' && change.id === row.id)
      expect(told, message).toEqual(
        isWithdrawn ? [{ kind: 'withdraw', id: row.id, correction: row.wasPaged }] : [],
      )
    }
  }
})

const LIMIT = { limitCenti: 500, hysteresisCenti: 50, inclusive: false, forMs: seconds(600) }

/** Pages, and people who resolve what is open. */
function journal(row: KeptRow, random: Random, nowMs: number): KeptRow {
  if (row.resolvedAtMs !== null) return row
  const paged = { ...row, wasPaged: row.wasPaged || random.chance(0.4) }
  return random.chance(0.1) ? { ...paged, resolvedAtMs: nowMs, resolvedBy: 'person' } : paged
}

/** Apart from each other and in order of time; only the last one may run. */
function randomFacts(random: Random): AlertFacts[] {
  const facts: AlertFacts[] = []
  for (let atMs = random.integer(0, 30); atMs < 100; atMs += random.integer(1, 40)) {
    const startedAtMs = atMs
    atMs += random.integer(0, 40)
    const isRunning = atMs >= 100 || random.chance(0.1)
    facts.push(factsOf(startedAtMs, isRunning ? null : atMs, { peakCenti: random.integer(500, 502) }))
    if (isRunning) break
  }
  return facts
}

/** What rows say that late data has not left without proof, in order of time. */
function proven(rows: readonly KeptRow[]): AlertFacts[] {
  return liveRows(rows)
    .filter(({ unproven }) => !unproven)
    .map((row: AlertRow) => comparable(row.facts))
    .sort((a, b) => a.startedAtMs - b.startedAtMs)
}

/** The resolution of what a person resolved is the person's. */
function comparable(facts: AlertFacts): AlertFacts {
  return { ...facts, resolution: null }
}
