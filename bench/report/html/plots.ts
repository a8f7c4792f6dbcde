import { type Histogram, median, type Series, type ShapeResult, type Unit } from '../figures.ts'
import { formatted } from '../format.ts'
import { linearAxis, logAxis, ninesAxis, percentileAxis } from '../svg/axis.ts'
import { plotSvg } from '../svg/plot.ts'
import { highestOf, lowestOf, thinned } from '../svg/points.ts'
import { type Markup, markup } from './markup.ts'
import { table } from './table.ts'

/** More points than the plot has pixels show nothing more. */
const POINTS_MAX = 400
/** As many as the style sheet has; further lines begin again with the first. */
const COLORS = 6
/** What the table below a distribution names. */
const PERCENTILES = [50, 90, 99, 99.9, 100]

/** Every plot of a shape, each with its legend and a table of what it shows. */
export function plots({ shape, ...plotted }: ShapeResult): Markup[] {
  const series = (plotted.series ?? []).filter(({ points }) => points.length > 0)
  const histograms = (plotted.histograms ?? []).filter(({ percentiles }) => percentiles.length > 0)
  return [
    ...[...byPlot(series)].map(([title, lines]) => seriesPlot(shape, title, lines)),
    ...[...byPlot(histograms)].map(([title, lines]) => histogramPlot(shape, title, lines)),
  ]
}

function byPlot<Item extends Series | Histogram>(items: readonly Item[]): Map<string, Item[]> {
  // A plot has one y axis: lines of another unit are another plot.
  return Map.groupBy(items, ({ plot, unit }) =>
    items.some((other) => other.plot === plot && other.unit !== unit) ? `${plot}, ${unit}` : plot,
  )
}

function seriesPlot(shape: string, title: string, lines: readonly Series[]): Markup {
  const xs = lines.flatMap(({ points }) => points.map(([x]) => x))
  const ys = lines.flatMap(({ points }) => points.map(([, y]) => y))
  const { unit = 's', x } = lines[0] ?? {}
  const svg = plotSvg({
    title: `${title}: ${shape}`,
    description: `${unit} over ${x?.name ?? 'time'}; the table below has its lowest, middle and highest values.`,
    xAxis: linearAxis(highestOf(xs, 0)),
    xLabel: x ? `${x.name}, ${x.unit}` : 'seconds',
    yAxis: linearAxis(highestOf(ys, 0)),
    yLabel: unit,
    lines: colored(lines).map(({ line: { points }, color }) => ({
      points: thinned(points, POINTS_MAX),
      color,
    })),
  })
  const rows = lines.map(({ name, round, points }) => {
    const values = points.map(([, y]) => y)
    const of = [lowestOf(values), median(values), highestOf(values, 0), values.at(-1) ?? 0]
    return [name, String(round), ...of.map((value) => formatted(value, unit))]
  })
  return figure({
    title,
    lines,
    svg,
    table: table({
      caption: `${title}, ${unit}`,
      headings: ['', 'round', 'lowest', 'median', 'highest', 'last'],
      rows,
      numbers: [1, 2, 3, 4, 5],
    }),
  })
}

function histogramPlot(shape: string, title: string, lines: readonly Histogram[]): Markup {
  const unit: Unit = lines[0]?.unit ?? 'ms'
  const drawn = lines.map((line) => ({ ...line, points: line.percentiles }))
  const percentiles = drawn.flatMap(({ points }) => points.map(([percentile]) => percentile))
  const values = drawn.flatMap(({ points }) => points.map(([, value]) => value))
  const positive = values.filter((value) => value > 0)
  const isTime = unit === 'ms'
  const svg = plotSvg({
    title: `${title}: ${shape}`,
    description: `${unit} at each percentile; the table below has the main ones.`,
    xAxis: isTime ? ninesAxis(percentiles) : percentileAxis(),
    xLabel: 'percentile',
    yAxis:
      isTime && positive.length > 0
        ? logAxis(lowestOf(positive), highestOf(positive, 0))
        : linearAxis(highestOf(values, 0)),
    yLabel: isTime ? `${unit}, logarithmic` : unit,
    lines: colored(drawn).map(({ line: { points }, color }) => ({ points, color })),
  })
  const rows = lines.map(({ name, round, percentiles: points }) => [
    name,
    String(round),
    ...PERCENTILES.map((percentile) => valueText(points, percentile, unit)),
  ])
  return figure({
    title,
    lines,
    svg,
    table: table({
      caption: `${title}, ${unit}`,
      headings: ['', 'round', ...PERCENTILES.map((value) => (value === 100 ? 'max' : `p${value}`))],
      rows,
      numbers: [1, 2, 3, 4, 5, 6],
    }),
  })
}

function valueText(points: Histogram['percentiles'], percentile: number, unit: Unit): string {
  const point = points.find(([known]) => known >= percentile)
  return point ? formatted(point[1], unit) : ''
}

function colored<Item extends { name: string }>(lines: readonly Item[]): { line: Item; color: number }[] {
  const names = namesOf(lines)
  return lines.map((line) => ({ line, color: names.indexOf(line.name) % COLORS }))
}

function namesOf(lines: readonly { name: string }[]): string[] {
  return [...new Set(lines.map(({ name }) => name))]
}

function figure(options: {
  title: string
  lines: readonly { name: string; round: number }[]
  svg: Markup
  table: Markup
}): Markup {
  const { title, lines, svg, table: values } = options
  const names = namesOf(lines)
  const rounds = new Set(lines.map(({ round }) => round)).size
  const legend = names.map(
    (name, index) => markup`<li><span class="swatch c${index % COLORS}"></span>${name}</li>`,
  )
  return markup`<figure>
<figcaption><strong>${title}</strong>${rounds > 1 ? ` ${rounds} rounds, a line each` : ''}</figcaption>
<ul class="legend">${legend}</ul>
${svg}
<details><summary>Values</summary>${values}</details>
</figure>
`
}
