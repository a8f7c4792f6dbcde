import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import type { BenchContext } from './context.ts'
import { openBenchServer } from './database/server.ts'
import {
  flagOption,
  helpOption,
  integerOption,
  type OptionValues,
  optionalTextOption,
  parseOptions,
} from './options.ts'
import { openProgress } from './progress.ts'
import { type Comparison, compareReports } from './report/compare.ts'
import { comparisonText } from './report/comparison-text.ts'
import { describeEnvironment, environmentText } from './report/environment.ts'
import type { WorkloadResult } from './report/figures.ts'
import { type BenchReport, REPORT_VERSION, readReport } from './report/report.ts'
import { workloadTable } from './report/table.ts'
import { reportFolder, writeReport } from './report/write.ts'
import type { Workload } from './workloads/workload.ts'

/** What is measured unless an option says otherwise. */
const STANDARD = {
  ...{ rounds: 3, seconds: 5, warmUpSeconds: 2 },
  ...{ rawRows: 1_000_000, rows: 3_000_000, devices: 100_000, backlogRows: 1_000_000 },
}
/** The same of `--quick`: every workload runs, but hardly longer than it takes to start. */
const QUICK: typeof STANDARD = {
  ...{ rounds: 1, seconds: 1, warmUpSeconds: 0 },
  ...{ rawRows: 100_000, rows: 50_000, devices: 5_000, backlogRows: 20_000 },
}

/** The options that all workloads have. */
export const benchShape = {
  rounds: integerOption({
    value: 'N',
    help: amountHelp('how often each measurement is repeated, in turns', 'rounds'),
    ...{ min: 1, max: 1_000, default: STANDARD.rounds, unit: 'rounds' },
  }),
  seconds: integerOption({
    value: 'S',
    help: amountHelp('how long each is measured', 'seconds'),
    ...{ min: 1, max: 86_400, default: STANDARD.seconds, unit: 'seconds' },
  }),
  'warm-up': integerOption({
    value: 'S',
    help: amountHelp('how long it runs before that', 'warmUpSeconds'),
    ...{ min: 0, max: 3_600, default: STANDARD.warmUpSeconds, unit: 'seconds' },
  }),
  'raw-rows': integerOption({
    value: 'N',
    help: amountHelp('rows of the raw COPY', 'rawRows'),
    // One message of the protocol holds them, encoded: a gigabyte at most.
    ...{ min: 1, max: 5_000_000, default: STANDARD.rawRows, unit: 'rows' },
  }),
  'backlog-rows': integerOption({
    value: 'N',
    help: amountHelp('old readings that are drained, in backfill', 'backlogRows'),
    ...{ min: 1, max: 1_000_000_000, default: STANDARD.backlogRows, unit: 'readings' },
  }),
  rows: integerOption({
    value: 'N',
    help: amountHelp('readings stored beforehand, in growth and reads', 'rows'),
    ...{ min: 1, max: 2_000_000_000, default: STANDARD.rows, unit: 'readings' },
  }),
  devices: integerOption({
    value: 'N',
    help: amountHelp('devices of the large fleet, in growth', 'devices'),
    ...{ min: 2_000, max: 1_000_000, default: STANDARD.devices, unit: 'devices' },
  }),
  quick: flagOption('all in miniature, to see that it works: the amounts above that are named quick'),
  'data-dir': optionalTextOption({
    value: 'DIR',
    help: 'where the embedded database is (a temporary folder); DATABASE_URL chooses another server',
  }),
  settings: {
    value: 'LIST',
    help: 'settings of the service that differ from its defaults: NAME=value,NAME=value',
    schema: z
      .string()
      .regex(/^[A-Z0-9_]+=[^,]*(,[A-Z0-9_]+=[^,]*)*$/, 'expected NAME=value, several with commas between')
      .transform((text) => Object.fromEntries(text.split(',').map((pair) => splitOnce(pair, '='))))
      .optional(),
  },
  out: optionalTextOption({
    value: 'FOLDER',
    help: 'where report.json and report.html go (a new one below bench/reports)',
  }),
  against: optionalTextOption({
    value: 'FILE',
    help: 'report.json of an earlier run: says what has changed since beyond the noise',
  }),
  help: helpOption,
}

function splitOnce(text: string, mark: string): [string, string] {
  const at = text.indexOf(mark)
  return [text.slice(0, at), text.slice(at + 1)]
}

export type BenchOptions = OptionValues<typeof benchShape>

function amountHelp(text: string, amount: keyof typeof STANDARD): string {
  return `${text} (${STANDARD[amount]}, quick ${QUICK[amount]})`
}

/** Reads the command line of workloads. Throws an `OptionError`. */
export function parseBenchOptions(command: string, args: readonly string[]): BenchOptions {
  const options = parseOptions(command, benchShape, args)
  if (!options.quick) return options
  const { warmUpSeconds, rawRows, backlogRows, ...others } = QUICK
  const amounts = { ...others, 'warm-up': warmUpSeconds, 'raw-rows': rawRows, 'backlog-rows': backlogRows }
  // Given ones come last: the latter of two holds.
  const miniature = Object.entries(amounts).map(([name, value]) => `--${name}=${value}`)
  return parseOptions(command, benchShape, [...miniature, ...args])
}

/**
 * Runs workloads one after the other on one server; prints a table of each and writes the report. Resolves to whether
 * every round counts. What it opens is put on `resources`. Throws a `ReportError` when there is nothing to compare with.
 */
export async function runWorkloads(
  workloads: readonly Workload[],
  options: BenchOptions,
  resources: AsyncDisposableStack,
): Promise<boolean> {
  const earlier = options.against === undefined ? undefined : await readReport(options.against)
  const context = await openContext(options, resources)
  const run = {
    ...(await describeEnvironment(context)),
    startedAt: new Date().toISOString(),
    quick: options.quick,
  }
  process.stdout.write(`${environmentText(run)}\n`)
  const folder = options.out ?? reportFolder(run)
  // What cannot be written must not be measured first.
  await mkdir(folder, { recursive: true })
  const results: WorkloadResult[] = []
  let comparison: Comparison | undefined
  for (const workload of workloads) {
    results.push(await runWorkload(workload, context))
    const unfinished = workloads.slice(results.length).map(({ name }) => name)
    const finishedAt = new Date().toISOString()
    const report: BenchReport = { version: REPORT_VERSION, ...run, finishedAt, unfinished, results }
    comparison = earlier && compareReports(earlier, report)
    // After each: a run that ends early leaves what it has.
    await writeReport(folder, report, comparison)
  }
  if (comparison) process.stdout.write(`${comparisonText(comparison)}\n`)
  process.stdout.write(`The report: ${join(folder, 'report.html')} and report.json beside it\n`)
  return results.every(({ shapes }) => shapes.every(({ problems }) => problems.length === 0))
}

async function runWorkload(workload: Workload, context: BenchContext): Promise<WorkloadResult> {
  const startedAt = Date.now()
  context.progress(`${workload.name}: ${workload.description}`)
  const result = await workload.run(context)
  context.progress(`${workload.name} took ${Math.round((Date.now() - startedAt) / 1_000)} s`)
  process.stdout.write(`${workloadTable(result)}\n`)
  return result
}

async function openContext(options: BenchOptions, resources: AsyncDisposableStack): Promise<BenchContext> {
  const { line, load } = openProgress({
    write: (text) => void process.stderr.write(text),
    isTerminal: process.stderr.isTTY,
  })
  line('starting the database server')
  const server = await openBenchServer({
    databaseUrl: process.env['DATABASE_URL'] || undefined,
    dataDir: options['data-dir'],
    resources,
  })
  return {
    server,
    seconds: options.seconds,
    warmUpSeconds: options['warm-up'],
    rounds: options.rounds,
    rawRows: options['raw-rows'],
    backlogRows: options['backlog-rows'],
    rows: options.rows,
    devices: options.devices,
    serviceSettings: options.settings ?? {},
    resources,
    progress: line,
    onLoad: load,
  }
}
