import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, inject, test, vi } from 'vitest'
import { makeTestFolder, removeTestFolder } from '../db/testing/test-folder.ts'
import { parseBenchOptions, runWorkloads } from './command.ts'
import type { LoadShape } from './context.ts'
import { FigureSet } from './report/figures.ts'
import { ReportError, readReport } from './report/report.ts'
import { markupProblems } from './testing/markup.ts'
import { measureThroughput } from './workloads/throughput.ts'
import type { Workload } from './workloads/workload.ts'

const SHAPE: LoadShape = { name: 'mini', connections: 3, readingsPerMessage: 4, devices: 24, inFlightMax: 2 }
const THROUGHPUT: Workload = {
  name: 'throughput',
  description: 'in miniature',
  run: (context) => measureThroughput(context, [SHAPE]),
}
const BROKEN: Workload = {
  name: 'broken',
  description: 'ends the run',
  run: () => Promise.reject(new Error('no more')),
}

let folder: string
/** A run of `THROUGHPUT` and `constant(100_000)`, and where its report is. */
let mini: { counts: boolean; shown: string; out: string }

beforeAll(async () => {
  folder = await makeTestFolder()
  vi.stubEnv('DATABASE_URL', inject('testServerUrl'))
  const out = join(folder, 'mini')
  mini = { ...(await run([THROUGHPUT, constant(100_000)], '--out', out)), out }
})

afterAll(async () => {
  vi.unstubAllEnvs()
  await removeTestFolder(folder)
})

/** Runs workloads in miniature; resolves to what the terminal showed. */
async function run(workloads: readonly Workload[], ...args: string[]) {
  await using resources = new AsyncDisposableStack()
  using write = vi.spyOn(process.stdout, 'write').mockReturnValue(true)
  using _ = vi.spyOn(process.stderr, 'write').mockReturnValue(true)
  const counts = await runWorkloads(workloads, parseBenchOptions('', ['--quick', ...args]), resources)
  return { counts, shown: write.mock.calls.map(([text]) => String(text)).join('') }
}

/** Always the same speed. */
function constant(readingsPerSecond: number): Workload {
  return {
    name: 'constant',
    description: 'always the same',
    run: async () => {
      const figures = new FigureSet()
      figures.add('rate', 'readings/s', readingsPerSecond)
      return { workload: 'constant', shapes: [figures.result('mini', [])] }
    },
  }
}

test('--quick takes smaller amounts, of which one that is given holds', () => {
  const standard = parseBenchOptions('', [])
  const quick = parseBenchOptions('', ['--quick', '--rounds=2'])
  expect(standard).toMatchObject({ quick: false, rounds: 3 })
  expect(quick).toMatchObject({ quick: true, rounds: 2 })
  expect(quick.seconds).toBeLessThan(standard.seconds)
  expect(quick['raw-rows']).toBeLessThan(standard['raw-rows'])
})

test('a run writes a page and a JSON file that can be read again', async () => {
  const { counts, shown, out } = mini
  expect(counts).toBe(true)
  expect(shown).toContain(join(out, 'report.html'))
  const report = await readReport(join(out, 'report.json'))
  expect(report).toMatchObject({ quick: true, unfinished: [], settings: { rounds: 1 } })
  expect(report.postgres['server_version']).toBeDefined()
  const [shape] = report.results[0]?.shapes ?? []
  expect(shape?.figures.find(({ name }) => name === 'acknowledged and committed')?.values).toHaveLength(1)
  expect(shape?.histograms?.map(({ plot }) => plot)).toContain('Latency, publish to PUBACK')
  const page = await readFile(join(out, 'report.html'), 'utf8')
  expect(markupProblems(page)).toEqual([])
  expect(page).toContain('Latency, publish to PUBACK')
})

test('--against says what has changed, on the terminal and on the page', async () => {
  const later = join(folder, 'later')
  const { shown } = await run([constant(200_000)], '--out', later, '--against', join(mini.out, 'report.json'))
  expect(shown).toContain('better: constant, mini: rate: 100,000 → 200,000 readings/s, +100.0%')
  const page = await readFile(join(later, 'report.html'), 'utf8')
  expect(page).toContain('Compared with an earlier run')
  expect(page).toContain('+100.0%')
})

test('nothing is measured when there is nothing to compare with', async () => {
  const measured = vi.fn(constant(1).run)
  const workload = { ...constant(1), run: measured }
  await expect(run([workload], '--against', join(folder, 'none.json'))).rejects.toThrow(ReportError)
  expect(measured).not.toHaveBeenCalled()
})

test('a run that breaks leaves what it has measured, and says what is missing', async () => {
  const out = join(folder, 'broken')
  await expect(run([constant(1), BROKEN], '--out', out)).rejects.toThrow('no more')
  const report = await readReport(join(out, 'report.json'))
  expect(report.unfinished).toEqual(['broken'])
  expect(report.results.map(({ workload }) => workload)).toEqual(['constant'])
})
