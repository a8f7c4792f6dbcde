import type { Logger } from 'pino'
import { collectDefaultMetrics, Registry } from 'prom-client'
import type { z } from 'zod'
import { consoleSettings } from '../console/config.ts'
import { openConsole, type StatusSnapshot } from '../console/console.ts'
import { explainAway } from '../db/away.ts'
import { createDatabase } from '../db/client.ts'
import { databaseSettings } from '../db/config.ts'
import { prepareDatabase } from '../db/prepare.ts'
import { Evaluator } from '../evaluator/evaluator.ts'
import { createEvaluatorMetrics } from '../evaluator/metrics.ts'
import { pagingSettings } from '../evaluator/paging/config.ts'
import { evaluatorSettings } from '../evaluator/settings.ts'
import { within } from '../ingest/within.ts'
import { logSettings, parseSettings } from '../settings.ts'

const settingsShape = {
  ...databaseSettings,
  ...evaluatorSettings,
  ...pagingSettings,
  ...consoleSettings,
  ...logSettings,
}
type EvaluatorServiceSettings = z.output<z.ZodObject<typeof settingsShape>>

/** One turn at a time; what is asked beside it does not wait for it. */
const CONNECTIONS = 3
/** Behind a database that hangs, the end of its last query is not waited for. */
const POOL_END_MS = 1_000

export interface EvaluatorService {
  /** Where its pages are. */
  url: string
  stop(): Promise<void>
}

/** The settings of `npm run evaluator`. Throws a `SettingsError` that names each bad one. */
export function readEvaluatorSettings(env: NodeJS.ProcessEnv): EvaluatorServiceSettings {
  return parseSettings(settingsShape, env)
}

/** Starts the evaluator with its pages, on a database that it migrates first. */
export async function startEvaluatorService(
  settings: EvaluatorServiceSettings,
  log: Logger,
): Promise<EvaluatorService> {
  const server = await prepareDatabase(settings, log)
  const { $client: pool } = createDatabase({
    url: server.url,
    poolMax: CONNECTIONS,
    statementTimeoutMs: settings.DATABASE_STATEMENT_TIMEOUT_MS,
    connectTimeoutMs: settings.DATABASE_CONNECT_TIMEOUT_MS,
    pipelined: true,
    applicationName: 'frostguard evaluator',
    onIdleError: (error) => log.warn({ err: error }, 'a database connection was lost'),
  })
  const close = async () => {
    await within(POOL_END_MS, pool.end())
    await server.release()
  }
  const register = new Registry()
  collectDefaultMetrics({ register })
  const evaluator = new Evaluator({ pool, log, settings, metrics: createEvaluatorMetrics(register) })
  try {
    const pages = await openConsole({
      host: settings.HTTP_HOST,
      port: settings.EVALUATOR_HTTP_PORT,
      portSetting: 'EVALUATOR_HTTP_PORT',
      metrics: register,
      notReady: () => notReady(evaluator),
      notices: () => notices(evaluator),
      status: () => statusOf(evaluator),
    })
    evaluator.start()
    return {
      url: pages.url,
      stop: async () => {
        await evaluator.stop()
        await pages.close()
        await close()
      },
    }
  } catch (error) {
    await close()
    throw error
  }
}

function notReady({ failing }: Evaluator): string[] {
  if (!failing) return []
  return [
    `nothing is evaluated since ${new Date(failing.sinceMs).toISOString()}: ${explainAway(failing.error)}`,
  ]
}

function notices(evaluator: Evaluator): string[] {
  const { failing, isActive } = evaluator
  if (failing || isActive) return evaluator.notices()
  return ['it does not evaluate now: another process does, or it has just started']
}

function statusOf({ isActive }: Evaluator): StatusSnapshot {
  return {
    Evaluator: { 'evaluates now': isActive ? 'yes' : 'no' },
    Process: {
      'uptime (s)': Math.round(process.uptime()),
      'memory (MB)': Math.round(process.memoryUsage.rss() / 1e6),
    },
  }
}
