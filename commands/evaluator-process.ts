// `npm run evaluator`: the evaluator in a process of its own, beside `EVALUATOR=off npm start`.
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { createDatabase } from '../db/client.ts'
import { databaseSettings } from '../db/config.ts'
import { prepareDatabase } from '../db/prepare.ts'
import { onEndSignal } from '../end-signals.ts'
import { Evaluator } from '../evaluator/evaluator.ts'
import { createEvaluatorMetrics } from '../evaluator/metrics.ts'
import { pagingSettings } from '../evaluator/paging/config.ts'
import { evaluatorSettings } from '../evaluator/settings.ts'
import { logSettings, parseSettings, readEnvironment } from '../settings.ts'

/** One turn at a time; what is asked beside it does not wait for it. */
const CONNECTIONS = 3

async function main(): Promise<void> {
  const shape = { ...databaseSettings, ...evaluatorSettings, ...pagingSettings, ...logSettings }
  const settings = parseSettings(shape, readEnvironment())
  const log = pino({ level: settings.LOG_LEVEL }, pino.destination(2))
  const server = await prepareDatabase(settings, log)
  const { $client: pool } = createDatabase({
    url: server.url,
    poolMax: CONNECTIONS,
    statementTimeoutMs: settings.DATABASE_STATEMENT_TIMEOUT_MS,
    connectTimeoutMs: settings.DATABASE_CONNECT_TIMEOUT_MS,
    applicationName: 'frostguard evaluator',
    onIdleError: (error) => log.warn({ err: error }, 'a database connection was lost'),
  })
  const evaluator = new Evaluator({ pool, log, settings, metrics: createEvaluatorMetrics(new Registry()) })
  const end = async () => {
    await evaluator.stop()
    await server.release()
    // A query that hangs must not keep the process.
    process.exit()
  }
  onEndSignal({ first: () => void end(), again: () => process.exit(1) })
  evaluator.start()
  process.stdout.write('FrostGuard evaluates. Ctrl-C stops it cleanly.\n')
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
  process.exit(1)
})
