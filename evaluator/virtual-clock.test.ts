import { describe, expect, it } from 'vitest'
import { loadScenarios, type Scenario } from './testing/scenario-files.ts'
import { type ToldAlert, VirtualWorld } from './testing/virtual-world.ts'

const START_MS = 1_795_000_000_000
/** By which a page may be early or late. */
const PAGE_TOLERANCE_SECONDS = 30

describe('with a clock of its own, each scenario gives what it expects', () => {
  it.each(loadScenarios().map((scenario) => [scenario.id, scenario.title, scenario] as const))(
    '%s: %s',
    (_id, _title, scenario) => {
      const world = new VirtualWorld(scenario, START_MS)
      const [first = ''] = Object.keys(scenario.expected.unit_status)
      const way = new Map<string, string | undefined>()
      world.play((second) => {
        if (String(second) in (scenario.status_on_the_way ?? {}))
          way.set(String(second), world.statusOf(first))
      })
      const alerts = world.alerts()
      expect(
        alerts
          .filter(({ row }) => !row.withdrawn)
          .map(written)
          .toSorted(byTime),
      ).toEqual(expectedAlerts(scenario).toSorted(byTime))
      expect(alerts.filter(({ row }) => row.withdrawn).map(writtenWithdrawn)).toEqual(
        scenario.expected.withdrawn.map((item) => ({ ...item, paged: near(item.paged) })),
      )
      expect(Object.fromEntries(way)).toEqual(scenario.status_on_the_way ?? {})
      for (const [name, status] of Object.entries(scenario.expected.unit_status)) {
        expect(world.statusOf(name), name).toBe(status)
      }
    },
  )
})

function written({ unit, hub, rule, row, journal }: ToldAlert) {
  const { facts } = row
  return {
    unit,
    ...(hub === undefined ? {} : { hub }),
    rule,
    type: facts.alertType,
    severity: facts.severity,
    started_at: seconds(facts.startedAtMs),
    triggered_at: seconds(facts.triggeredAtMs),
    ended_at: seconds(facts.endedAtMs),
    status: row.resolvedAtMs === null ? 'active' : 'resolved',
    paged: seconds(journal.pagedAtMs),
    retrospective: row.retrospective,
  }
}

function writtenWithdrawn({ unit, rule, journal }: ToldAlert) {
  return {
    unit,
    rule,
    raised_at: seconds(journal.raisedAtMs),
    paged: seconds(journal.pagedAtMs),
    withdrawn_at: seconds(journal.withdrawnAtMs),
    correction_notices: journal.told.filter(({ kind }) => kind === 'correction').length,
  }
}

function expectedAlerts({ expected }: Scenario) {
  return expected.alerts.map((alert) => ({ ...alert, paged: near(alert.paged) }))
}

/** A second within the tolerance; null = never. */
function near(paged: number | null) {
  return paged === null
    ? null
    : expect.toSatisfy((found) => Math.abs(Number(found) - paged) <= PAGE_TOLERANCE_SECONDS)
}

function seconds(atMs: number): number
function seconds(atMs: number | null): number | null
function seconds(atMs: number | null): number | null {
  return atMs === null ? null : (atMs - START_MS) / 1000
}

function byTime(a: { rule: string | null; started_at: number }, b: typeof a): number {
  return a.started_at - b.started_at || (a.rule ?? '').localeCompare(b.rule ?? '')
}
