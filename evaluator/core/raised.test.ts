import { describe, expect, test } from 'vitest'
import { seconds, trackOf, versionOf } from '../testing/words.ts'
import { raisedSpans, ruleEndMs, type Wait } from './raised.ts'
import type { Condition, RuleVersion } from './types.ts'

const CONDITION: Condition = { type: 'door_open', forMs: seconds(300) }
const LONGER: Condition = { type: 'door_open', forMs: seconds(600) }

describe('a wait', () => {
  test('is raised when it has lasted as long as the rule allows, if it lasts longer', () => {
    expect(spans([versionOf(CONDITION)], wait(0, 300))).toEqual([])
    expect(spans([versionOf(CONDITION)], wait(0, 301))).toMatchObject([
      { startedAtMs: 0, triggeredAtMs: seconds(300), endedAtMs: seconds(301), resolution: 'recovered' },
    ])
  })

  test('that still lasts is raised as far as it can be judged', () => {
    expect(spans([versionOf(CONDITION)], wait(0, null), 299)).toEqual([])
    expect(spans([versionOf(CONDITION)], wait(0, null), 300)).toMatchObject([
      { triggeredAtMs: seconds(300), endedAtMs: null, resolution: null },
    ])
  })
})

describe('a changed rule', () => {
  const changedAt = (second: number, before: Condition, after: Condition): RuleVersion[] => [
    versionOf(before, { toMs: seconds(second) }),
    versionOf(after, { version: 2, fromMs: seconds(second), severity: 'critical' }),
  ]

  test('sees what was before it, but triggers only from the change on', () => {
    expect(spans(changedAt(400, LONGER, CONDITION), wait(0, 500))).toMatchObject([
      {
        version: { version: 2, severity: 'critical' },
        startedAtMs: 0,
        triggeredAtMs: seconds(400),
        endedAtMs: seconds(500),
      },
    ])
    expect(spans(changedAt(400, LONGER, CONDITION), wait(0, 400))).toEqual([])
  })

  test('is judged by the version in force when it is due', () => {
    expect(spans(changedAt(200, CONDITION, LONGER), wait(0, 599))).toEqual([])
    expect(spans(changedAt(200, CONDITION, LONGER), wait(0, 601))).toMatchObject([
      { triggeredAtMs: seconds(600) },
    ])
  })

  test('goes on with what was raised, as it was raised', () => {
    expect(spans(changedAt(400, CONDITION, LONGER), wait(0, null))).toMatchObject([
      { version: { version: 1 }, triggeredAtMs: seconds(300), endedAtMs: null },
    ])
  })

  test('that was disabled meanwhile ends what was raised, and raises it again', () => {
    const versions = [
      versionOf(CONDITION, { toMs: seconds(400) }),
      versionOf(CONDITION, { version: 2, fromMs: seconds(500) }),
    ]
    expect(spans(versions, wait(0, null))).toMatchObject([
      { triggeredAtMs: seconds(300), endedAtMs: seconds(400), resolution: 'rule_changed' },
      { startedAtMs: 0, triggeredAtMs: seconds(500), endedAtMs: null, resolution: null },
    ])
    expect(ruleEndMs(trackOf(CONDITION, versions), seconds(300))).toBe(seconds(400))
    expect(ruleEndMs(trackOf(CONDITION, versions), seconds(500))).toBe(Infinity)
  })

  test('that is gone ends what was raised, however far that can be judged', () => {
    const versions = [versionOf(CONDITION, { toMs: seconds(400) })]
    expect(spans(versions, wait(0, null), 390)).toMatchObject([
      { endedAtMs: seconds(400), resolution: 'rule_changed' },
    ])
    expect(spans(versions, wait(0, 400))).toMatchObject([{ resolution: 'recovered' }])
  })
})

describe('the first rule of its kind', () => {
  const created = 10_000
  const first = versionOf(CONDITION, {
    fromMs: -Infinity,
    triggers: { by: 'received', fromMs: seconds(created) },
  })

  test('judges what began before it, if we heard of it after', () => {
    expect(spans([first], { ...wait(0, 400), receivedAtMs: seconds(created) })).toMatchObject([
      { triggeredAtMs: seconds(300), endedAtMs: seconds(400) },
    ])
  })

  test('triggers only from its creation on by what we knew before', () => {
    const known = { receivedAtMs: seconds(created) - 1 }
    expect(spans([first], { ...wait(0, 400), ...known })).toEqual([])
    expect(spans([first], { ...wait(0, created + 1), ...known })).toMatchObject([
      { startedAtMs: 0, triggeredAtMs: seconds(created) },
    ])
    expect(spans([first], wait(0, created + 1))).toMatchObject([{ triggeredAtMs: seconds(created) }])
  })
})

function wait(from: number, end: number | null): Wait {
  return { fromMs: seconds(from), endMs: end === null ? null : seconds(end), receivedAtMs: null }
}

function spans(versions: readonly RuleVersion[], one: Wait, judgedTo = 1_000_000) {
  return raisedSpans(trackOf(CONDITION, versions), one, {
    dueAt: (condition) => (condition.type === 'door_open' ? one.fromMs + condition.forMs : Infinity),
    judgedToMs: seconds(judgedTo),
  })
}
