import { afterAll, beforeAll, expect, test } from 'vitest'
import { startTestService, type TestService } from '../../contract/testing/service.ts'
import { until } from '../../db/testing/poll.ts'
import { Random } from '../../simulators/random.ts'
import { type AlertSaid, anyOrder, PlayedScenario } from './played-scenario.ts'
import type { Scenario } from './scenario-files.ts'

const seed = process.env['FROSTGUARD_TEST_SEED'] ?? String(Date.now())

let service: TestService

/** Plays scenarios on a running service: at once in the order of their messages, and in any order. */
export function testScenarios(scenarios: readonly Scenario[]): void {
  const compressed = scenarios.filter(({ expected_compressed }) => expected_compressed)
  const orderless = scenarios.filter(({ any_order }) => any_order)

  beforeAll(async () => {
    // How far it has evaluated is then in the database at once.
    service = await startTestService({ env: { EVALUATOR_SAVE_MS: '0' } })
    // What it reads from the ledger has arrived together when it has in the same millisecond.
    await until('it evaluates', async () => (await service.metric('frostguard_evaluator_active')) === 1)
  })
  afterAll(() => service.close())

  test.each(compressed.map((scenario, index) => [scenario.id, scenario.title, scenario, index] as const))(
    '%s, in order: %s',
    async (_id, _title, scenario, index) => {
      const played = await play(scenario, index, (messages) => messages)
      const expected = scenario.expected_compressed
      await untilSame(
        async () => (await played.alerts()).filter(({ isWithdrawn }) => !isWithdrawn).map(told),
        expected?.alerts.toSorted(byTime) ?? [],
      )
      const withdrawn = (await played.alerts()).filter(({ isWithdrawn }) => isWithdrawn)
      expect(withdrawn).toHaveLength(expected?.withdrawn ?? 0)
    },
  )

  test.each(orderless.map((scenario, index) => [scenario.id, scenario, index] as const))(
    `%s, in any order (FROSTGUARD_TEST_SEED=${seed})`,
    async (id, scenario, index) => {
      const played = await play(scenario, compressed.length + index, anyOrder(new Random(seed, id)))
      await untilSame(
        async () => (await played.alerts()).filter(({ isWithdrawn }) => !isWithdrawn).map(facts),
        scenario.expected.alerts.map(facts).toSorted(byTime),
      )
    },
  )
}

type Order = Parameters<PlayedScenario['publish']>[0]

async function play(scenario: Scenario, number: number, order: Order) {
  const played = new PlayedScenario(service, scenario, number)
  await played.applyFleet()
  await played.publish(order)
  await untilEvaluated()
  return played
}

function untilEvaluated(): Promise<void> {
  return until('all that is committed is evaluated', async () => {
    const [row] = await service.query<{ left: number }>(
      `SELECT count(*)::int AS left FROM pipeline.ingest_batches b
       WHERE NOT EXISTS (SELECT FROM pipeline.evaluator_cursors c WHERE (c.tx, c.batch_id) >= (b.tx, b.id))`,
    )
    return row?.left === 0
  })
}

/** Pages come with a clock tick: what is expected may take a moment. */
async function untilSame(look: () => Promise<object[]>, expected: object[]): Promise<void> {
  await expect.poll(look, { timeout: 10_000, interval: 50 }).toEqual(expected)
}

function told({ unit, rule, started_at, triggered_at, ended_at, status, paged, retrospective }: AlertSaid) {
  return { unit, rule, started_at, triggered_at, ended_at, status, paged, retrospective }
}

type Facts = Pick<
  Scenario['expected']['alerts'][number],
  'unit' | 'rule' | 'started_at' | 'triggered_at' | 'ended_at'
>

function facts(alert: Facts & { type?: string | undefined; severity?: string | undefined }) {
  const { unit, rule, type, severity, started_at, triggered_at, ended_at } = alert
  return { unit, rule, type, severity, started_at, triggered_at, ended_at }
}

function byTime(a: Facts, b: Facts): number {
  return (
    a.started_at - b.started_at ||
    a.triggered_at - b.triggered_at ||
    (a.rule ?? '').localeCompare(b.rule ?? '')
  )
}
