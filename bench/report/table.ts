import { type Figure, median, type ShapeResult, type WorkloadResult } from './figures.ts'
import { formatted, targetVerdict } from './format.ts'

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
    targetVerdict(figure),
  ]
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
