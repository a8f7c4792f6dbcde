/** `npm run rules:backtest`: what a rule would have raised on the readings that are stored. */
import { onConnection } from '../db/batches/transaction.ts'
import { withDatabase } from '../db/cli/with-database.ts'
import { createDatabase } from '../db/client.ts'
import { findOrganization } from '../db/replay/organization.ts'
import { backtest } from '../evaluator/backtest/backtest.ts'
import { type CommandLine, parseCommandLine, USAGE } from '../evaluator/backtest/command-line.ts'
import { loadUnitConfigs } from '../evaluator/config/unit-configs.ts'
import type { AlertFacts, Condition } from '../evaluator/core/types.ts'

const STATEMENT_TIMEOUT_MS = 60_000
const CONNECT_TIMEOUT_MS = 10_000
const HUNDREDTHS = 100
const MINUTE_MS = 60_000

async function run(url: string, line: CommandLine): Promise<void> {
  const { $client: pool } = createDatabase({
    url,
    poolMax: 1,
    statementTimeoutMs: STATEMENT_TIMEOUT_MS,
    connectTimeoutMs: CONNECT_TIMEOUT_MS,
    applicationName: 'frostguard rules:backtest',
    onIdleError: () => {},
  })
  try {
    const organizationId = await findOrganization(pool, line.organization)
    const { rows } = await pool.query<{ id: number; name: string }>(
      `SELECT id, name FROM public.units
       WHERE organization_id = $1 AND deleted_at IS NULL AND name = coalesce($2, name) ORDER BY id`,
      [organizationId, line.unit ?? null],
    )
    if (rows.length === 0)
      throw new Error(`There is no unit${line.unit ? ` "${line.unit}"` : ''} to try it on.`)
    const names = new Map(rows.map(({ id, name }) => [id, name]))
    const units = await loadUnitConfigs(pool, [...names.keys()])
    for (const condition of line.conditions) {
      let alerts = 0
      let inputs = 0
      for (const unit of units) {
        const tried = await onConnection(pool, (client) => backtest(client, unit, { ...line, condition }))
        for (const alert of tried.alerts) print(names.get(unit.unitId) ?? '', condition, alert)
        alerts += tried.alerts.length
        inputs += tried.inputs
      }
      process.stdout.write(
        `${condition.type}: ${alerts} alerts in ${units.length} units, ${inputs} readings and door events\n`,
      )
    }
  } finally {
    await pool.end()
  }
}

function print(unit: string, { type }: Condition, alert: AlertFacts): void {
  const { startedAtMs, triggeredAtMs, endedAtMs, peakCenti } = alert
  const time = (ms: number) => new Date(ms).toISOString()
  const ended = endedAtMs === null ? 'still runs' : `ended ${time(endedAtMs)}`
  const minutes = endedAtMs === null ? '' : ` after ${Math.round((endedAtMs - startedAtMs) / MINUTE_MS)} min`
  const worst = peakCenti === null ? '' : `, at worst ${peakCenti / HUNDREDTHS}`
  process.stdout.write(
    `${unit}: ${type}, began ${time(startedAtMs)}, raised ${time(triggeredAtMs)}, ${ended}${minutes}${worst}\n`,
  )
}

async function main(): Promise<void> {
  const line = parseCommandLine(process.argv.slice(2), Date.now())
  if (!line) process.stdout.write(`${USAGE}\n`)
  else await withDatabase(({ url }) => run(url, line))
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = 1
})
