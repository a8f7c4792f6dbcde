import { describe, expect, test } from 'vitest'
import type { RuleTrack } from '../core/types.ts'
import { type CandidateRule, type EnabledVersion, tracksOf, type UnitPeriod } from './cascade.ts'

const ALWAYS: UnitPeriod[] = [{ fromMs: -Infinity, toMs: Infinity, siteId: 1 }]

const version = (change: Partial<EnabledVersion> = {}): EnabledVersion => ({
  version: 1,
  fromMs: 100,
  toMs: Infinity,
  condition: {
    type: 'temperature_above',
    limitCenti: 500,
    hysteresisCenti: 50,
    inclusive: false,
    forMs: null,
  },
  severity: 'critical',
  isFirst: true,
  ...change,
})

const rule = (change: Partial<CandidateRule> = {}): CandidateRule => ({
  ruleId: 1,
  name: 'Too warm',
  conditionType: 'temperature_above',
  alertType: 'alarm_active',
  level: 'organization',
  siteId: null,
  createdAtMs: 100,
  versions: [version()],
  ...change,
})

const limit = (change: Partial<CandidateRule> = {}) =>
  rule({
    ruleId: null,
    name: 'temp_max',
    level: 'limit',
    versions: [version({ fromMs: -Infinity })],
    ...change,
  })

/** Rule: version from..to, by and from when it triggers. */
const shown = (tracks: readonly RuleTrack[]) =>
  tracks.map(
    ({ ruleId, versions }) =>
      `${ruleId ?? 'limit'}: ${versions
        .map((v) => `v${v.version} ${v.fromMs}..${v.toMs} ${v.triggers.by} ${v.triggers.fromMs}`)
        .join(', ')}`,
  )

describe('a rule', () => {
  test('that is the first of its condition type sees the past, and triggers by what arrives after it was made', () => {
    expect(shown(tracksOf([rule()], ALWAYS))).toEqual(['1: v1 -Infinity..Infinity received 100'])
  })

  test('triggers from its change on once it is changed', () => {
    const versions = [version({ toMs: 200 }), version({ version: 2, fromMs: 200, isFirst: false })]
    expect(shown(tracksOf([rule({ versions })], ALWAYS))).toEqual([
      '1: v1 -Infinity..200 received 100, v2 200..Infinity at 200',
    ])
  })

  test('does not apply while it is disabled', () => {
    const versions = [version({ toMs: 200 }), version({ version: 3, fromMs: 300, isFirst: false })]
    expect(shown(tracksOf([rule({ versions })], ALWAYS))).toEqual([
      '1: v1 -Infinity..200 received 100, v3 300..Infinity at 300',
    ])
  })

  test('that was made disabled begins when it is enabled', () => {
    const versions = [version({ version: 2, fromMs: 200, isFirst: false })]
    expect(shown(tracksOf([rule({ versions })], ALWAYS))).toEqual(['1: v2 200..Infinity at 200'])
  })

  test('beside one of the same level begins when it is made; both apply', () => {
    const second = rule({ ruleId: 2, createdAtMs: 200, versions: [version({ fromMs: 200 })] })
    expect(shown(tracksOf([rule(), second], ALWAYS))).toEqual([
      '1: v1 -Infinity..Infinity received 100',
      '2: v1 200..Infinity at 200',
    ])
  })

  test('made together with another one of the same level reaches back as that does', () => {
    expect(shown(tracksOf([rule(), rule({ ruleId: 2 })], ALWAYS))).toEqual([
      '1: v1 -Infinity..Infinity received 100',
      '2: v1 -Infinity..Infinity received 100',
    ])
  })

  test('of another condition type is another matter', () => {
    const other = rule({
      ruleId: 2,
      conditionType: 'no_data',
      versions: [version({ fromMs: 200 })],
      level: 'unit',
    })
    expect(shown(tracksOf([rule(), other], ALWAYS))).toEqual([
      '1: v1 -Infinity..Infinity received 100',
      '2: v1 -Infinity..Infinity received 200',
    ])
  })
})

describe('a narrower rule', () => {
  const narrow = (change: Partial<CandidateRule> = {}) =>
    rule({
      ruleId: 2,
      level: 'unit',
      createdAtMs: 200,
      versions: [version({ fromMs: 200, toMs: 300 })],
      ...change,
    })

  test('takes the place of the wider ones while it is enabled', () => {
    expect(shown(tracksOf([rule(), narrow()], ALWAYS))).toEqual([
      '1: v1 -Infinity..200 received 100, v1 300..Infinity at 300',
      '2: v1 200..300 at 200',
    ])
  })

  test('made together with the wider one leaves it nothing', () => {
    const rules = [rule(), narrow({ createdAtMs: 100, versions: [version()] })]
    expect(shown(tracksOf(rules, ALWAYS))).toEqual(['2: v1 -Infinity..Infinity received 100'])
  })

  test('of the unit beats one of its site, which beats one of the organization', () => {
    const site = rule({
      ruleId: 3,
      level: 'site',
      siteId: 1,
      createdAtMs: 150,
      versions: [version({ fromMs: 150 })],
    })
    expect(shown(tracksOf([rule(), narrow(), site], ALWAYS))).toEqual([
      '1: v1 -Infinity..150 received 100',
      '2: v1 200..300 at 200',
      '3: v1 150..200 at 150, v1 300..Infinity at 300',
    ])
  })

  test('of a site applies while the unit stands there', () => {
    const site = rule({ level: 'site', siteId: 2, createdAtMs: 50, versions: [version({ fromMs: 50 })] })
    const moved: UnitPeriod[] = [
      { fromMs: -Infinity, toMs: 400, siteId: 1 },
      { fromMs: 400, toMs: 500, siteId: 2 },
      { fromMs: 500, toMs: Infinity, siteId: 1 },
    ]
    expect(shown(tracksOf([site], moved))).toEqual(['1: v1 400..500 at 400'])
    expect(shown(tracksOf([rule({ ruleId: 2 }), site], moved))).toEqual([
      '2: v1 -Infinity..400 received 100, v1 500..Infinity at 500',
      '1: v1 400..500 at 400',
    ])
  })
})

describe('a limit of the unit', () => {
  test('acts from the beginning where there is no rule', () => {
    expect(shown(tracksOf([limit()], ALWAYS))).toEqual(['limit: v1 -Infinity..Infinity received -Infinity'])
  })

  test('triggers from its change on once it is changed', () => {
    const versions = [
      version({ fromMs: -Infinity, toMs: 50 }),
      version({ version: 2, fromMs: 50, isFirst: false }),
    ]
    expect(shown(tracksOf([limit({ versions })], ALWAYS))).toEqual([
      'limit: v1 -Infinity..50 received -Infinity, v2 50..Infinity at 50',
    ])
  })

  test('gives way to a rule that is made later, and acts again when that is gone', () => {
    const later = rule({ createdAtMs: 100, versions: [version({ toMs: 300 })] })
    expect(shown(tracksOf([limit({ createdAtMs: 10 }), later], ALWAYS))).toEqual([
      'limit: v1 -Infinity..100 received -Infinity, v1 300..Infinity at 300',
      '1: v1 100..300 at 100',
    ])
  })

  test('never acts where the rule was made together with the unit', () => {
    const together = rule({ createdAtMs: 102, versions: [version({ toMs: 300 })] })
    expect(shown(tracksOf([limit({ createdAtMs: 102 }), together], ALWAYS))).toEqual([
      'limit: v1 300..Infinity at 300',
      '1: v1 -Infinity..300 received 100',
    ])
  })

  test('of a unit that is younger than the rule never acts', () => {
    expect(shown(tracksOf([limit({ createdAtMs: 500 }), rule()], ALWAYS))).toEqual([
      '1: v1 -Infinity..Infinity received 100',
    ])
  })

  test('that was set later does not keep a rule from reaching back unless it was set before the rule', () => {
    const set = (fromMs: number) =>
      limit({ createdAtMs: 10, versions: [version({ fromMs, isFirst: false })] })
    expect(shown(tracksOf([set(50), rule()], ALWAYS))).toEqual([
      'limit: v1 50..100 at 50',
      '1: v1 100..Infinity at 100',
    ])
    expect(shown(tracksOf([set(150), rule()], ALWAYS))).toEqual(['1: v1 -Infinity..Infinity received 100'])
  })
})

describe('a unit that is not monitored', () => {
  test('has no rules meanwhile', () => {
    const pause: UnitPeriod[] = [
      { fromMs: -Infinity, toMs: 400, siteId: 1 },
      { fromMs: 500, toMs: 600, siteId: 1 },
    ]
    expect(shown(tracksOf([rule(), limit({ createdAtMs: 500 })], pause))).toEqual([
      '1: v1 -Infinity..400 received 100, v1 500..600 at 500',
    ])
  })

  test('when the rule is made has it from when it is monitored', () => {
    const late: UnitPeriod[] = [{ fromMs: 400, toMs: Infinity, siteId: 1 }]
    expect(shown(tracksOf([rule()], late))).toEqual(['1: v1 400..Infinity at 400'])
  })
})
