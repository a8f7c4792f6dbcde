import {
  type Figure,
  isReached,
  median,
  type ShapeResult,
  type Unit,
  type WorkloadResult,
} from './figures.ts'

const DIGITS: Record<Unit, number> = {
  'readings/s': 0,
  'messages/s': 0,
  share: 3,
  cores: 2,
  s: 2,
  ms: 1,
  bytes: 1,
  MB: 0,
  rows: 0,
}

/** A table a shape: each figure with its median, its lowest and highest round, and whether its target is reached. */
export function workloadTable({ workload, shapes }: WorkloadResult): string {
  return [`${workload}\n`, ...shapes.map(shapeTable)].join('\n')
}

function shapeTable({ shape, figures, problems }: ShapeResult): string {
  const rows = figures.map((figure) => [figure.name, ...cells(figure)])
  const table = align([[shape, 'median', 'lowest', 'highest', '', 'target'], ...rows])
  const rounds = problems.map((problem) => `  DOES NOT COUNT: ${problem}\n`)
  return `${table}\n${rounds.join('')}`
}

function cells(figure: Figure): string[] {
  const { values, unit } = figure
  const text = (value: number) => formatted(value, unit)
  return [
    text(median(values)),
    text(Math.min(...values)),
    text(Math.max(...values)),
    unit,
    targetText(figure),
  ]
}

function targetText(figure: Figure): string {
  const { target, unit } = figure
  if (!target) return ''
  const limit =
    'atLeast' in target
      ? `at least ${formatted(target.atLeast, unit)}`
      : `at most ${formatted(target.atMost, unit)}`
  return `${limit}: ${isReached(figure) ? 'reached' : 'NOT REACHED'}`
}

function formatted(value: number, unit: Unit): string {
  const digits = DIGITS[unit]
  return value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits })
}

/** Columns as wide as their widest cell; numbers to the right. */
function align(rows: string[][]): string {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => (row[column] ?? '').length)),
  )
  const isNumber = (column: number) => column >= 1 && column <= 3
  const line = (row: string[]) =>
    row
      .map((cell, column) =>
        isNumber(column) ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0),
      )
      .join('  ')
      .trimEnd()
  return `${rows.map((row) => `  ${line(row)}\n`).join('')}`
}
