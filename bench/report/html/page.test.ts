import { expect, test } from 'vitest'
import { markupProblems } from '../../testing/markup.ts'
import { testReport, testShape } from '../../testing/report.ts'
import { compareReports } from '../compare.ts'
import { FigureSet } from '../figures.ts'
import { reportPage } from './page.ts'

const HOSTILE = `<script>alert("1 & 2")</script>'`

test('the page is well-formed, alone and with a comparison', () => {
  const report = testReport([testShape('50 a message'), testShape('1 a message')])
  expect(markupProblems(reportPage(report))).toEqual([])
  expect(markupProblems(reportPage(report, compareReports(report, report)))).toEqual([])
})

test('the check of well-formedness finds what is wrong', () => {
  const page = reportPage(testReport([testShape('mini')]))
  expect(markupProblems(page.replace('</table>', ''))).not.toEqual([])
  expect(markupProblems(page.replace('</svg>', '</svg></svg>'))).not.toEqual([])
  expect(markupProblems(page.replace('<h2>', '<h2> a < b'))).not.toEqual([])
  expect(markupProblems(page.replace('<h2>', '<h2>a & b'))).not.toEqual([])
})

test('the page needs nothing from anywhere: no address, no script, no style sheet, no picture', () => {
  const page = reportPage(testReport([testShape('mini')]))
  expect(page).not.toMatch(/https?:|\/\/[a-z]|url\(|@import|\ssrc=|<(script|link|img|iframe|object)/)
  expect([...page.matchAll(/href="([^"]*)"/g)].every(([, target]) => target?.startsWith('#'))).toBe(true)
})

test('every link leads to a section of the page', () => {
  const figures = new FigureSet()
  figures.add('rate', 'readings/s', 1)
  const without = testReport([figures.result('no target', [])])
  const withAll = testReport([testShape('mini')])
  for (const page of [reportPage(without), reportPage(withAll, compareReports(without, withAll))]) {
    const ids = [...page.matchAll(/ id="([^"]*)"/g)].map(([, id]) => id)
    const links = [...page.matchAll(/href="#([^"]*)"/g)].map(([, id]) => id)
    expect(links.length).toBeGreaterThan(1)
    expect(ids).toEqual(expect.arrayContaining(links))
    expect(new Set(ids).size).toBe(ids.length)
  }
})

test('whatever a name, a problem or a setting holds is text', () => {
  const shape = testShape(HOSTILE)
  shape.problems = [HOSTILE]
  const [series] = shape.series ?? []
  if (series) series.name = HOSTILE
  const before = testReport([shape], { commit: undefined, settings: { [HOSTILE]: HOSTILE } })
  const after = testReport([shape], { machine: { cpus: 1, cpu: HOSTILE, memoryMib: 1, platform: HOSTILE } })
  const page = reportPage(after, compareReports(before, after))
  expect(page).not.toContain('<script>')
  expect(page).toContain('&lt;script&gt;alert(&quot;1 &amp; 2&quot;)&lt;/script&gt;&#39;')
  expect(markupProblems(page)).toEqual([])
})

test('what is missing leaves no gap that looks like a value', () => {
  const empty = new FigureSet().result('nothing', ['round 1: 1 row missing'])
  const hollow = {
    shape: 'hollow',
    figures: [{ name: 'rate', unit: 'readings/s' as const, values: [] }],
    problems: [],
    series: [{ plot: 'Throughput', name: 'x', unit: 'readings/s' as const, round: 1, points: [] }],
    histograms: [{ plot: 'Latency', name: 'x', unit: 'ms' as const, round: 1, percentiles: [] }],
  }
  for (const shapes of [[], [empty], [hollow]]) {
    const page = reportPage(testReport(shapes))
    expect(page).not.toMatch(/NaN|Infinity|undefined|null/)
    expect(markupProblems(page)).toEqual([])
  }
  const page = reportPage(testReport([empty, testShape('mini')]))
  expect(page).toContain('No figures, and so no targets, of throughput, nothing.')
  expect(page).toContain('No round counts')
  expect(page).toContain('round 1: 1 row missing')
})

test('the head says what was reached and how far the run can be trusted', () => {
  const page = reportPage(
    testReport([testShape('mini')], {
      quick: true,
      changed: true,
      unfinished: ['growth'],
      loadAverage: 3,
    }),
  )
  expect(page).toContain('1 of 2 targets reached')
  expect(page).toContain('92,000 readings/s')
  expect(page).toContain('A quick run')
  expect(page).toContain('differ from the commit')
  expect(page).toContain('load average 3 on 2 CPUs')
  expect(page).toContain('not measured were growth')
  const plain = reportPage(testReport([testShape('mini')]))
  expect(plain).not.toContain('A quick run')
  expect(plain).not.toContain('ended early')
  expect(plain).not.toContain('was busy')
})

test('a day of measuring makes a page that can still be opened', () => {
  const shape = testShape('mini')
  const [series] = shape.series ?? []
  if (series) series.points = Array.from({ length: 200_000 }, (_, second) => [second, second % 7])
  expect(reportPage(testReport([shape])).length).toBeLessThan(100_000)
})

test('a plot has a title, a description and a table of what it shows', () => {
  const page = reportPage(testReport([testShape('mini')]))
  expect(page.match(/<svg [^>]*role="img"[^>]*>\s*<title>[^<]+<\/title><desc>[^<]+<\/desc>/g)).toHaveLength(2)
  expect(page.match(/<details><summary>Values<\/summary>/g)).toHaveLength(2)
  expect(page).toContain(
    '<th scope="row">FrostGuard</th><td class="number">1</td><td class="number">90,001</td>',
  )
})
