import { mkdir, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Comparison } from './compare.ts'
import { reportPage } from './html/page.ts'
import type { BenchReport } from './report.ts'

const REPORTS = fileURLToPath(new URL('../reports/', import.meta.url))

/** Where a run's report goes when nobody says where: by time and commit. */
export function reportFolder({ startedAt, commit }: Pick<BenchReport, 'startedAt' | 'commit'>): string {
  const time = startedAt.slice(0, 19).replaceAll(':', '-')
  return join(REPORTS, `${time}Z-${commit?.slice(0, 10) ?? 'no-commit'}`)
}

/** Writes `report.json` and `report.html`, over those that are there. */
export async function writeReport(
  folder: string,
  report: BenchReport,
  comparison?: Comparison,
): Promise<void> {
  await mkdir(folder, { recursive: true })
  await replace(join(folder, 'report.json'), `${JSON.stringify(report, null, 2)}\n`)
  await replace(join(folder, 'report.html'), reportPage(report, comparison))
}

/** Whoever reads it meanwhile has the old one or the new one, whole. */
async function replace(path: string, text: string): Promise<void> {
  await writeFile(`${path}.new`, text)
  await rename(`${path}.new`, path)
}
