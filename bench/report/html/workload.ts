import { type Figure, isReached, median, type ShapeResult, type WorkloadResult } from '../figures.ts'
import { formatted, targetText } from '../format.ts'
import { rangeStrip } from '../svg/range-strip.ts'
import { type Markup, markup } from './markup.ts'
import { plots } from './plots.ts'
import { table } from './table.ts'

/** What a workload has measured: per shape the figures, what does not count, and the plots. */
export function workloadSection({ workload, shapes }: WorkloadResult): Markup {
  return markup`<section id="${workload}">
<h2>${workload}</h2>
${shapes.map(shapeSection)}</section>
`
}

function shapeSection(result: ShapeResult): Markup {
  const { shape, figures, problems } = result
  return markup`<h3>${shape}</h3>
${problemList(problems)}${figures.length > 0 ? figureTable(shape, figures) : markup`<p>No round counts: there are no figures.</p>`}
<div class="plots">
${plots(result)}</div>
`
}

function problemList(problems: readonly string[]): Markup | undefined {
  if (problems.length === 0) return undefined
  return markup`<div class="note bad"><strong>Does not count</strong><ul>${problems.map((problem) => markup`<li>${problem}</li>`)}</ul></div>
`
}

function figureTable(shape: string, figures: readonly Figure[]): Markup {
  return table({
    caption: `Figures: ${shape}`,
    headings: ['figure', 'median', 'lowest', 'highest', 'unit', 'rounds', 'target'],
    rows: figures.filter(({ values }) => values.length > 0).map(figureRow),
    numbers: [1, 2, 3],
  })
}

function figureRow(figure: Figure): (Markup | string)[] {
  const { name, unit, values, target } = figure
  const range = { lowest: Math.min(...values), median: median(values), highest: Math.max(...values) }
  const limit = target && ('atLeast' in target ? target.atLeast : target.atMost)
  return [
    name,
    ...[range.median, range.lowest, range.highest].map((value) => formatted(value, unit)),
    unit,
    rangeStrip({ ...range, ...(limit === undefined ? {} : { target: limit }) }),
    targetMark(figure),
  ]
}

/** What the target asks and whether it is reached, in words and in color. */
export function targetMark(figure: Figure): Markup | string {
  const reached = isReached(figure)
  if (reached === undefined) return ''
  return markup`${targetText(figure)} <span class="mark ${reached ? 'good' : 'bad'}">${reached ? 'reached' : 'missed'}</span>`
}
