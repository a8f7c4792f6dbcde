import { onEndSignal } from '../end-signals.ts'
import { benchShape, parseBenchOptions, runWorkloads } from './command.ts'
import { runLoadCommand } from './generator/main.ts'
import { LAYOUT_HELP, parseLayoutOptions, runLayout } from './layout/main.ts'
import { describeOptions, OptionError } from './options.ts'
import { ReportError } from './report/report.ts'
import { backfill } from './workloads/backfill.ts'
import { evaluator } from './workloads/evaluator.ts'
import { growth } from './workloads/growth.ts'
import { latency } from './workloads/latency.ts'
import { limit } from './workloads/limit.ts'
import { mixed } from './workloads/mixed.ts'
import { reads } from './workloads/reads.ts'
import { throughput } from './workloads/throughput.ts'
import type { Workload } from './workloads/workload.ts'

const WORKLOADS: readonly Workload[] = [limit, throughput, mixed, latency, backfill, growth, reads, evaluator]

const HELP = `npm run bench -- [command] [options]

${WORKLOADS.map(({ name, description }) => `  ${name.padEnd(12)}${description}`).join('\n')}
  load        the load generator alone, against any MQTT server; "load --help" lists its options
  layout      ways to key the table of readings, compared; "layout --help" lists its options

Without a command: ${WORKLOADS.map(({ name }) => name).join(', then ')}. Each measurement has a database of its own, which is
removed. Writes a report: one HTML page, and JSON that a later run can be compared with (--against). Ends with code 1 when
a run does not count: when what is in the database is not what was acknowledged.

`

/** Resolves to the exit code. */
async function main(args: readonly string[]): Promise<number> {
  const [first] = args
  const command = first === undefined || first.startsWith('-') ? undefined : first
  const rest = command === undefined ? args : args.slice(1)
  if (command === 'load') return runLoadCommand(rest)
  if (command === 'layout') return runLayoutCommand(rest)
  const chosen = WORKLOADS.filter(({ name }) => command === undefined || name === command)
  if (chosen.length === 0) throw new OptionError(`Unknown command "${command}".\n\n${HELP}`)
  const options = parseBenchOptions(command ?? '', rest)
  if (!options.help) {
    return runUntilSignal(async (resources) => ((await runWorkloads(chosen, options, resources)) ? 0 : 1))
  }
  process.stdout.write(`${HELP}${describeOptions(benchShape)}\n`)
  return 0
}

async function runLayoutCommand(args: readonly string[]): Promise<number> {
  const options = parseLayoutOptions(args)
  if (options.help) process.stdout.write(LAYOUT_HELP)
  else await runUntilSignal((resources) => runLayout(options, resources))
  return 0
}

/** Ctrl-C ends the children and removes the temporary databases and folders. */
async function runUntilSignal<Result>(
  work: (resources: AsyncDisposableStack) => Promise<Result>,
): Promise<Result> {
  const resources = new AsyncDisposableStack()
  let isEnding = false
  const end = async (signal: string) => {
    isEnding = true
    process.stderr.write(`${signal}: ending what was started\n`)
    await resources.disposeAsync().catch(complain)
    process.exit(1)
  }
  const signals = onEndSignal({ first: (signal) => void end(signal), again: () => process.exit(1) })
  try {
    return await work(resources)
  } catch (error) {
    // What breaks then, breaks because its servers were ended.
    if (isEnding) await new Promise(() => {})
    throw error
  } finally {
    await resources.disposeAsync()
    signals.forget()
  }
}

function complain(error: unknown): void {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
}

main(process.argv.slice(2)).then(
  (code) => {
    process.exitCode = code
  },
  (error: unknown) => {
    complain(error)
    process.exitCode = error instanceof OptionError || error instanceof ReportError ? 2 : 1
  },
)
