import { type Figure, isReached, median, type ShapeResult } from '../figures.ts'
import { formatted } from '../format.ts'
import { type BenchReport, isBusy } from '../report.ts'
import { type Markup, markup } from './markup.ts'
import { table } from './table.ts'
import { targetMark } from './workload.ts'

/** What an operator asks first, and the figures that answer it. */
const QUESTIONS = [
  {
    question: 'How much can this machine take?',
    workload: 'throughput',
    figures: { 'acknowledged and committed': '' },
  },
  {
    question: 'How far is that from its limits?',
    workload: 'throughput',
    figures: { 'share of raw COPY': 'of one raw COPY', 'share of bare Aedes': 'of a bare Aedes' },
  },
  {
    question: 'What does a hub feel, from publish to PUBACK, at full load?',
    workload: 'throughput',
    figures: { 'publish to PUBACK, p50': 'at the median', 'publish to PUBACK, p99': 'at p99' },
  },
  {
    question: 'What does it feel at half of that load, and alone?',
    workload: 'latency',
    figures: {
      'half load: publish to PUBACK, p99': 'at p99, half load',
      'one hub: publish to PUBACK, p50': 'at the median, one hub alone',
    },
  },
  {
    question: 'How much memory does it take?',
    workload: 'throughput',
    figures: { 'memory of the service': 'at its highest' },
  },
] as const

interface Placed {
  workload: string
  shape: string
  figure: Figure
}

/** The verdict, the answers to what is asked first, and the targets. */
export function summary(report: BenchReport): Markup {
  return markup`${verdict(report)}
${notes(report)}
<section id="glance">
<h2>At a glance</h2>
<div class="cards">${QUESTIONS.map((question) => card(report, question))}</div>
</section>
${targets(report)}
`
}

/** Whether the summary has a section of targets. */
export function hasTargets(report: BenchReport): boolean {
  return withTargets(report).length > 0
}

function withTargets({ results }: BenchReport): Placed[] {
  return results.flatMap(({ workload, shapes }) =>
    shapes.flatMap(({ shape, figures }) =>
      figures
        .filter(({ target, values }) => target !== undefined && values.length > 0)
        .map((figure) => ({ workload, shape, figure })),
    ),
  )
}

function verdict(report: BenchReport): Markup {
  const all = withTargets(report)
  const missed = all.filter(({ figure }) => !isReached(figure)).length
  const problems = report.results.flatMap(({ shapes }) => shapes.flatMap((shape) => shape.problems)).length
  const isGood =
    missed === 0 && problems === 0 && withoutFigures(report).length === 0 && report.unfinished.length === 0
  const headline =
    all.length === 0 ? 'No targets in this run' : `${all.length - missed} of ${all.length} targets reached`
  const books =
    problems === 0
      ? 'Every round counts: wherever the database was compared with what was acknowledged, they were equal.'
      : `${problems} findings keep rounds from counting: they are named below, and those rounds have no figures.`
  const silent = withoutFigures(report)
  const missing = silent.length > 0 ? ` No figures, and so no targets, of ${silent.join('; ')}.` : ''
  return markup`<div class="verdict ${isGood ? 'good' : 'bad'}"><strong>${headline}</strong><span>${books}${missing}</span></div>`
}

/** Loads of which no round counts: their targets are neither reached nor missed. */
function withoutFigures({ results }: BenchReport): string[] {
  return results.flatMap(({ workload, shapes }) =>
    shapes
      .filter(({ figures }) => figures.every(({ values }) => values.length === 0))
      .map(({ shape }) => `${workload}, ${shape}`),
  )
}

function notes(report: BenchReport): Markup[] {
  const { quick, changed, unfinished, loadAverage, machine } = report
  return [
    ...(quick ? ['A quick run, in miniature: it shows that all works, not how fast it is.'] : []),
    ...(isBusy(report)
      ? [
          `The machine was busy in the minute before the run: load average ${loadAverage} on ${machine.cpus} CPUs. Look at the shares.`,
        ]
      : []),
    ...(changed ? ['The files differ from the commit that is named.'] : []),
    ...(unfinished.length > 0 ? [`The run ended early: not measured were ${unfinished.join(', ')}.`] : []),
  ].map((note) => markup`<p class="note">${note}</p>`)
}

function card(
  { results }: BenchReport,
  { question, workload, figures }: (typeof QUESTIONS)[number],
): Markup | undefined {
  const shapes = results.find((result) => result.workload === workload)?.shapes ?? []
  const answers = shapes.flatMap((shape) => answer(shape, figures))
  if (answers.length === 0) return undefined
  return markup`<article class="card"><h3>${question}</h3><dl>${answers}</dl></article>
`
}

function answer({ shape, figures }: ShapeResult, wanted: Record<string, string>): Markup[] {
  const found = Object.entries(wanted).flatMap(([name, meaning]) => {
    const figure = figures.find((each) => each.name === name && each.values.length > 0)
    return figure ? [markup`<dd><b>${valueText(figure)}</b> ${meaning}</dd>`] : []
  })
  return found.length > 0 ? [markup`<dt>${shape}</dt>${found}`] : []
}

function valueText({ unit, values }: Figure): string {
  const value = median(values)
  return unit === 'share' ? `${Math.round(value * 100)} %` : `${formatted(value, unit)} ${unit}`
}

function targets(report: BenchReport): Markup | undefined {
  const all = withTargets(report)
  if (all.length === 0) return undefined
  const rows = all.map(({ workload, shape, figure }) => [
    `${workload}: ${figure.name}`,
    shape,
    `${formatted(median(figure.values), figure.unit)} ${figure.unit}`,
    targetMark(figure),
  ])
  return markup`<section id="targets">
<h2>Targets</h2>
${table({ caption: 'What the median of each figure must reach', headings: ['figure', 'load', 'median', 'target'], rows, numbers: [2] })}
</section>`
}
