export type Point = readonly [x: number, y: number]

/** The highest of values, of which there may be more than a function takes arguments; `least` of none. */
export function highestOf(values: readonly number[], least: number): number {
  return values.reduce((highest, value) => Math.max(highest, value), least)
}

/** The lowest of values, of which there may be more than a function takes arguments; Infinity of none. */
export function lowestOf(values: readonly number[]): number {
  return values.reduce((lowest, value) => Math.min(lowest, value), Number.POSITIVE_INFINITY)
}

/** At most about so many points that look the same: of each stretch the lowest and the highest stay. */
export function thinned(points: readonly Point[], max: number): readonly Point[] {
  if (points.length <= max) return points
  const length = Math.ceil((points.length * 2) / max)
  const stretches = Array.from({ length: Math.ceil(points.length / length) }, (_, index) =>
    points.slice(index * length, (index + 1) * length),
  )
  return stretches.flatMap((stretch) => {
    const byHeight = stretch.toSorted(([, a], [, b]) => a - b)
    const ends = [byHeight[0], byHeight.at(-1)].filter((point) => point !== undefined)
    return ends.toSorted(([a], [b]) => a - b)
  })
}
