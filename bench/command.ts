import { writeFile } from 'node:fs/promises'
import { z } from 'zod'
import type { BenchContext } from './context.ts'
import { openBenchServer } from './database/server.ts'
import { helpOption, integerOption, type OptionValues, optionalTextOption, parseOptions } from './options.ts'
import { describeEnvironment, environmentText } from './report/environment.ts'
import type { WorkloadResult } from './report/figures.ts'
import { workloadTable } from './report/table.ts'
import type { Workload } from './workloads/workload.ts'

/** The options that all workloads have. */
export const benchShape = {
  rounds: integerOption({
    value: 'N',
    help: 'how often each measurement is repeated, in turns (3)',
    ...{ min: 1, max: 1_000, default: 3, unit: 'rounds' },
  }),
  seconds: integerOption({
    value: 'S',
    help: 'how long each is measured (5)',
    ...{ min: 1, max: 86_400, default: 5, unit: 'seconds' },
  }),
  'warm-up': integerOption({
    value: 'S',
    help: 'how long it runs before that (2)',
    ...{ min: 0, max: 3_600, default: 2, unit: 'seconds' },
  }),
  'raw-rows': integerOption({
    value: 'N',
    help: 'rows of the raw COPY (1000000)',
    // One message of the protocol holds them, encoded: a gigabyte at most.
    ...{ min: 1, max: 5_000_000, default: 1_000_000, unit: 'rows' },
  }),
  rows: integerOption({
    value: 'N',
    help: 'readings stored beforehand, in growth and reads (3000000)',
    ...{ min: 1, max: 2_000_000_000, default: 3_000_000, unit: 'readings' },
  }),
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
  json: optionalTextOption({
    value: 'FILE',
    help: 'write the figures there, with commit, machine and settings',
  }),
  help: helpOption,
}

function splitOnce(text: string, mark: string): [string, string] {
  const at = text.indexOf(mark)
  return [text.slice(0, at), text.slice(at + 1)]
}

export type BenchOptions = OptionValues<typeof benchShape>

/** Reads the command line of workloads. Throws an `OptionError`. */
export function parseBenchOptions(command: string, args: readonly string[]): BenchOptions {
  return parseOptions(command, benchShape, args)
}

/**
 * Runs workloads one after the other on one server; prints a table of each. Resolves to whether every round counts.
 * What it opens is put on `resources`.
 */
export async function runWorkloads(
  workloads: readonly Workload[],
  options: BenchOptions,
  resources: AsyncDisposableStack,
): Promise<boolean> {
  const context = await openContext(options, resources)
  const environment = await describeEnvironment(context)
  process.stdout.write(`${environmentText(environment)}\n`)
  const results: WorkloadResult[] = []
  for (const workload of workloads) {
    const startedAt = new Date()
    context.progress(`${workload.name}: ${workload.description}`)
    const result = await workload.run(context)
    results.push(result)
    process.stdout.write(`${workloadTable(result)}\n`)
    context.progress(`${workload.name} took ${Math.round((Date.now() - startedAt.getTime()) / 1_000)} s`)
  }
  if (options.json !== undefined) {
    const report = { finishedAt: new Date(), ...environment, results }
    await writeFile(options.json, `${JSON.stringify(report, null, 2)}\n`)
  }
  return results.every(({ shapes }) => shapes.every(({ problems }) => problems.length === 0))
}

async function openContext(options: BenchOptions, resources: AsyncDisposableStack): Promise<BenchContext> {
  const progress = (text: string) => void process.stderr.write(`${text}\n`)
  progress('starting the database server')
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
    rows: options.rows,
    serviceSettings: options.settings ?? {},
    resources,
    progress,
  }
}
