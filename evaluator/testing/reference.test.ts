import { describe, expect, it } from 'vitest'
import type { AlertFacts, Input } from '../core/types.ts'
import { referenceAlerts } from './reference.ts'
import { loadScenarios, type Scenario } from './scenario-files.ts'
import { inputsOf, unitsOf } from './scenario-units.ts'

const START_MS = 1_795_000_000_000
/** What is found by the clock alone, not by what the devices sent. */
const OF_THE_CLOCK: ReadonlySet<string> = new Set([
  'monitoring_interrupted',
  'missed_manual_entry',
  'calibration_due',
])

describe('the reference finds what each scenario expects', () => {
  it.each(loadScenarios().map((scenario) => [scenario.id, scenario.title, scenario] as const))(
    '%s: %s',
    (_id, _title, scenario) => {
      const found = alertsOf(scenario, (inputs) => inputs)
      expect(found).toEqual(expectedOf(scenario))
      expect(alertsOf(scenario, (inputs) => inputs.toReversed())).toEqual(found)
    },
  )
})

function alertsOf(scenario: Scenario, order: (inputs: Input[]) => Input[]) {
  const { units, deviceIds } = unitsOf(scenario)
  const inputs = order(scenario.messages.flatMap((message) => inputsOf(message, START_MS, deviceIds)))
  const judgedToMs = START_MS + scenario.look_at * 1000
  return units
    .flatMap(({ name, config }) =>
      referenceAlerts(inputs, config, judgedToMs).map((facts) => {
        const track = config.tracks.find(
          ({ ruleId, conditionType }) => ruleId === facts.ruleId && conditionType === facts.conditionType,
        )
        return { unit: name, rule: track?.ruleId === null ? null : track?.name, ...written(facts) }
      }),
    )
    .toSorted(byTime)
}

function expectedOf({ expected }: Scenario) {
  return expected.alerts
    .filter(({ type }) => type === undefined || !OF_THE_CLOCK.has(type))
    .map(({ paged: _paged, retrospective: _retrospective, ...rest }) => rest)
    .toSorted(byTime)
}

/** As a scenario writes it: seconds after its beginning. */
function written(facts: AlertFacts) {
  const seconds = (atMs: number) => (atMs - START_MS) / 1000
  return {
    type: facts.alertType,
    severity: facts.severity,
    started_at: seconds(facts.startedAtMs),
    triggered_at: seconds(facts.triggeredAtMs),
    ended_at: facts.endedAtMs === null ? null : seconds(facts.endedAtMs),
    status: facts.endedAtMs === null ? 'active' : 'resolved',
  }
}

function byTime(a: { rule?: string | null | undefined; started_at: number }, b: typeof a): number {
  return a.started_at - b.started_at || (a.rule ?? '').localeCompare(b.rule ?? '')
}
