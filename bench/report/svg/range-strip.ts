import { type Markup, markup } from '../html/markup.ts'

const WIDTH = 120
const HEIGHT = 14
const MIDDLE = HEIGHT / 2
/** So that what lies at an end is seen whole. */
const MARGIN = 4

/** From lowest to highest as a bar, the median as a dot, the target as an upright line; all from zero on. */
export function rangeStrip(range: {
  lowest: number
  median: number
  highest: number
  target?: number
}): Markup {
  const { lowest, median, highest, target } = range
  const most = Math.max(highest, target ?? 0)
  const place = (value: number) =>
    Math.round((MARGIN + (most > 0 ? Math.max(value, 0) / most : 0) * (WIDTH - 2 * MARGIN)) * 10) / 10
  const mark =
    target === undefined
      ? undefined
      : markup`<line x1="${place(target)}" x2="${place(target)}" y1="0" y2="${HEIGHT}" class="target"/>`
  // Beside a table that says the same in numbers.
  return markup`<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" class="strip" aria-hidden="true"><line x1="${MARGIN}" x2="${WIDTH - MARGIN}" y1="${MIDDLE}" y2="${MIDDLE}" class="grid"/><line x1="${place(lowest)}" x2="${place(highest)}" y1="${MIDDLE}" y2="${MIDDLE}" class="range"/>${mark}<circle cx="${place(median)}" cy="${MIDDLE}" r="3.5" class="dot c0"/></svg>`
}
