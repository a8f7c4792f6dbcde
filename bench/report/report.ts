import { readFile } from 'node:fs/promises'
import { z } from 'zod'
import { workloadResult } from './figures.ts'

/** Raised when a reader of the old one would misunderstand the new one. */
export const REPORT_VERSION = 1

const texts = z.record(z.string(), z.string())

/** What the figures depend on, beside the code. */
const environment = z.object({
  /** Of the checkout; absent where there is none. */
  commit: z.string().optional(),
  /** Whether files differ from that commit. */
  changed: z.boolean().optional(),
  /** Of the last minute before the run; absent where the system does not tell. */
  loadAverage: z.number().optional(),
  machine: z.object({ cpus: z.number(), cpu: z.string(), memoryMib: z.number(), platform: z.string() }),
  versions: texts,
  postgres: texts,
  settings: z.record(z.string(), z.unknown()),
})
export type Environment = z.output<typeof environment>

/** What one run of the benchmark has measured, as `report.json` holds it. */
const benchReport = environment.extend({
  version: z.literal(REPORT_VERSION),
  startedAt: z.iso.datetime(),
  finishedAt: z.iso.datetime(),
  /** Measured in miniature: it shows that all works, not how fast it is. */
  quick: z.boolean(),
  /** Workloads that were to be measured as well when the run ended. */
  unfinished: z.array(z.string()),
  results: z.array(workloadResult),
})
export type BenchReport = z.output<typeof benchReport>

/** What keeps so much of the machine busy is seen in the figures. */
const BUSY_SHARE = 0.25

/** Whether something was using the machine before the run began. */
export function isBusy({ loadAverage = 0, machine }: Pick<BenchReport, 'loadAverage' | 'machine'>): boolean {
  return loadAverage > machine.cpus * BUSY_SHARE
}

/** A file is not a report that can be compared with. The message names it and says what to do. */
export class ReportError extends Error {
  override name = 'ReportError'
}

/** Reads a `report.json`. Throws a `ReportError`. */
export async function readReport(path: string): Promise<BenchReport> {
  const text = await readFile(path, 'utf8').catch((error: Error) => {
    throw new ReportError(
      `${path} cannot be read: ${error.message}. Expected a report.json of an earlier run.`,
    )
  })
  return parseReport(text, path)
}

const anyVersion = z.object({ version: z.number() })

/** The same of its text; `path` is for the message. */
export function parseReport(text: string, path: string): BenchReport {
  const content = parseJson(text)
  const versioned = anyVersion.safeParse(content)
  if (!versioned.success) {
    throw new ReportError(
      `${path} is not a report of the benchmark: expected the report.json of an earlier run.`,
    )
  }
  const { version } = versioned.data
  if (version !== REPORT_VERSION) {
    throw new ReportError(
      `${path} is a report of version ${version}, expected ${REPORT_VERSION}: measure that commit again with this benchmark.`,
    )
  }
  const report = benchReport.safeParse(content)
  if (report.success) return report.data
  throw new ReportError(`${path} is damaged: ${z.prettifyError(report.error)}`)
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
