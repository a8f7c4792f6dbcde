import { type Markup, markup } from '../html/markup.ts'
import type { Axis } from './axis.ts'
import type { Point } from './points.ts'

const WIDTH = 460
const HEIGHT = 250
const LEFT = 64
const RIGHT = 18
const TOP = 26
const BOTTOM = 42
const INNER_WIDTH = WIDTH - LEFT - RIGHT
const INNER_HEIGHT = HEIGHT - TOP - BOTTOM
/** Between an axis and its labels. */
const LABEL_GAP = 8
const LABEL_HEIGHT = 4

/** A line of a plot; its color is one of those that the style sheet numbers from 0. */
interface Line {
  color: number
  points: readonly Point[]
}

export interface Plot {
  title: string
  /** For those who do not see it. */
  description: string
  xAxis: Axis
  /** What is written along the x axis. */
  xLabel: string
  yAxis: Axis
  yLabel: string
  lines: readonly Line[]
}

/** A plot as inline SVG; its colors are of the style sheet. */
export function plotSvg(plot: Plot): Markup {
  const { title, description, xAxis, xLabel, yAxis, yLabel, lines } = plot
  return markup`<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" class="plot">
<title>${title}</title><desc>${description}</desc>
${yAxis.ticks.map(yTick)}
${xAxis.ticks.map(xTick)}
<text x="${LEFT}" y="12" class="unit">${yLabel}</text>
<text x="${WIDTH - RIGHT}" y="${HEIGHT - 6}" class="unit end">${xLabel}</text>
${lines.map((line) => lineMarkup(line, xAxis, yAxis))}
</svg>`
}

function yTick({ at, label }: Axis['ticks'][number]): Markup {
  const y = rounded(TOP + (1 - at) * INNER_HEIGHT)
  return markup`<line x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${y}" y2="${y}" class="grid"/><text x="${LEFT - LABEL_GAP}" y="${y + LABEL_HEIGHT}" class="end">${label}</text>`
}

function xTick({ at, label }: Axis['ticks'][number]): Markup {
  const x = rounded(LEFT + at * INNER_WIDTH)
  const bottom = TOP + INNER_HEIGHT
  return markup`<line x1="${x}" x2="${x}" y1="${bottom}" y2="${bottom + LABEL_HEIGHT}" class="tick"/><text x="${x}" y="${bottom + 2 * LABEL_GAP + 2}" class="middle">${label}</text>`
}

function lineMarkup({ color, points }: Line, xAxis: Axis, yAxis: Axis): Markup {
  const places = points.map(([x, y]) => ({
    x: rounded(LEFT + xAxis.place(x) * INNER_WIDTH),
    y: rounded(TOP + (1 - yAxis.place(y)) * INNER_HEIGHT),
  }))
  const [only] = places
  // A line needs two points to be seen.
  if (only && places.length === 1)
    return markup`<circle cx="${only.x}" cy="${only.y}" r="3" class="dot c${color}"/>`
  const text = places.map(({ x, y }) => `${x},${y}`).join(' ')
  return markup`<polyline points="${text}" class="line c${color}"/>`
}

function rounded(pixels: number): number {
  return Math.round(pixels * 10) / 10
}
