import type { Comparison } from '../compare.ts'
import type { BenchReport } from '../report.ts'
import { comparisonSection } from './comparison.ts'
import { environmentSection } from './environment.ts'
import { type Markup, markup } from './markup.ts'
import { STYLE } from './style.ts'
import { hasTargets, summary } from './summary.ts'
import { workloadSection } from './workload.ts'

/** The report as one page that needs nothing else: no script, no network. */
export function reportPage(report: BenchReport, comparison?: Comparison): string {
  const title = `FrostGuard benchmark, ${report.startedAt.slice(0, 10)}`
  const page = markup`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8"/>
<meta name="viewport" content="width=device-width, initial-scale=1"/>
<title>${title}</title>
<style>${STYLE}</style>
</head>
<body>
<header>
<h1>FrostGuard benchmark</h1>
<p>${headText(report)}</p>
${contents(report, comparison)}
</header>
<main>
${summary(report)}${comparison && comparisonSection(comparison)}<p class="rule">In the tables below, the bar spans the rounds from lowest to highest, the dot is the median and the upright line the target, all from zero on.</p>
${report.results.map(workloadSection)}${environmentSection(report)}</main>
</body>
</html>
`
  return page.text
}

function headText({ startedAt, finishedAt, commit, machine }: BenchReport): string {
  const minutes = Math.round((Date.parse(finishedAt) - Date.parse(startedAt)) / 60_000)
  const { cpus, cpu, memoryMib, platform } = machine
  return [
    `${startedAt.slice(0, 16).replace('T', ' ')} UTC, took ${minutes < 1 ? 'less than a minute' : `${minutes} min`}`,
    commit === undefined ? 'no commit' : `commit ${commit.slice(0, 10)}`,
    `${cpus} CPUs (${cpu}), ${memoryMib.toLocaleString('en-US')} MiB, ${platform}`,
  ].join(' · ')
}

function contents(report: BenchReport, comparison: Comparison | undefined): Markup {
  const ids = [
    ...(hasTargets(report) ? ['targets'] : []),
    ...(comparison ? ['comparison'] : []),
    ...report.results.map(({ workload }) => workload),
    'environment',
  ]
  return markup`<nav aria-label="Contents">${ids.map((id) => markup`<a href="#${id}">${id}</a>`)}</nav>`
}
