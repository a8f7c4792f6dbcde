// `npm run evaluator`: the evaluator in a process of its own, beside `EVALUATOR=off npm start`.
import { pino } from 'pino'
import { onEndSignal } from '../end-signals.ts'
import { announcement } from '../service/announce.ts'
import { readEvaluatorSettings, startEvaluatorService } from '../service/evaluator-service.ts'
import { readEnvironment } from '../settings.ts'

async function main(): Promise<void> {
  const settings = readEvaluatorSettings(readEnvironment())
  const log = pino({ level: settings.LOG_LEVEL }, pino.destination(2))
  const { url, stop } = await startEvaluatorService(settings, log)
  const end = async () => {
    await stop()
    // A query that hangs must not keep the process.
    process.exit()
  }
  onEndSignal({ first: () => void end(), again: () => process.exit(1) })
  process.stdout.write(`${announcement({ console: url })}\nFrostGuard evaluates. Ctrl-C stops it cleanly.\n`)
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
  process.exit(1)
})
