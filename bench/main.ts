import { type BenchOptions, benchShape, parseBenchOptions, runWorkloads } from './command.ts'
import { runLoadCommand } from './generator/main.ts'
import { runLayout } from './layout/main.ts'
import { describeOptions, OptionError } from './options.ts'
import { limit } from './workloads/limit.ts'
import { throughput } from './workloads/throughput.ts'
import type { Workload } from './workloads/workload.ts'

const WORKLOADS: readonly Workload[] = [limit, throughput]

const HELP = `npm run bench -- [command] [options]

${WORKLOADS.map(({ name, description }) => `  ${name.padEnd(12)}${description}`).join('\n')}
  load        the load generator alone, against any MQTT server; "load --help" lists its options
  layout      ways to key the table of readings, compared; "layout --help" lists its options

Without a command: ${WORKLOADS.map(({ name }) => name).join(', then ')}. Each measurement has a database of its own, which is
removed. Ends with code 1 when a run does not count: when what is in the database is not what was acknowledged.

`

/** Resolves to the exit code. */
async function main(args: readonly string[]): Promise<number> {
  const [first] = args
  const command = first === undefined || first.startsWith('-') ? undefined : first
  const rest = command === undefined ? args : args.slice(1)
  if (command === 'load') return runLoadCommand(rest)
  if (command === 'layout') {
    await runLayout([...rest])
    return 0
  }
  const chosen = WORKLOADS.filter(({ name }) => command === undefined || name === command)
  if (chosen.length === 0) throw new OptionError(`Unknown command "${command}".\n\n${HELP}`)
  const options = parseBenchOptions(command ?? '', rest)
  if (!options.help) return runUntilSignal(chosen, options)
  process.stdout.write(`${HELP}${describeOptions(benchShape)}\n`)
  return 0
}

const REPEATED_SIGNAL_MS = 1_000

/** Ctrl-C ends the children and removes the temporary databases and folders. */
async function runUntilSignal(workloads: readonly Workload[], options: BenchOptions): Promise<number> {
  const resources = new AsyncDisposableStack()
  let endingSinceMs: number | undefined
  const end = async (signal: string) => {
    if (endingSinceMs !== undefined) {
      // Ctrl-C reaches us twice: from the terminal and, forwarded, from npm.
      if (performance.now() - endingSinceMs > REPEATED_SIGNAL_MS) process.exit(1)
      return
    }
    endingSinceMs = performance.now()
    process.stderr.write(`${signal}: ending what was started\n`)
    await resources.disposeAsync().catch(complain)
    process.exit(1)
  }
  process.on('SIGINT', (signal) => void end(signal))
  process.on('SIGTERM', (signal) => void end(signal))
  try {
    return (await runWorkloads(workloads, options, resources)) ? 0 : 1
  } catch (error) {
    // What breaks then, breaks because its servers were ended.
    if (endingSinceMs !== undefined) await new Promise(() => {})
    throw error
  } finally {
    await resources.disposeAsync()
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
    process.exitCode = error instanceof OptionError ? 2 : 1
  },
)
