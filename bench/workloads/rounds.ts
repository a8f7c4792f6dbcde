import type { BenchContext } from '../context.ts'
import { timeLeftText } from '../progress.ts'
import { FigureSet, type ShapeResult } from '../report/figures.ts'

/** Adds the figures of one round; returns why the round does not count: a sentence for each reason. */
export type Round<Shape> = (context: BenchContext, shape: Shape, figures: FigureSet) => Promise<string[]>

/**
 * Measures every shape in each round, so that what is compared is of the same minutes. The figures of a round that
 * does not count are left out.
 */
export async function inRounds<Shape extends { name: string }>(
  context: BenchContext,
  shapes: readonly Shape[],
  measure: Round<Shape>,
): Promise<ShapeResult[]> {
  const results = shapes.map((shape) => ({ shape, figures: new FigureSet(), problems: [] as string[] }))
  const startedAt = Date.now()
  let done = 0
  for (let round = 1; round <= context.rounds; round++) {
    for (const { shape, figures, problems } of results) {
      const of = context.rounds * shapes.length
      const left = timeLeftText({ elapsedMs: Date.now() - startedAt, done, of })
      const title = `round ${round} of ${context.rounds}: ${shape.name}`
      context.progress(left === '' ? title : `${title} (${left})`)
      figures.beginRound(round)
      const found = await measure(context, shape, figures)
      done++
      problems.push(...found.map((problem) => `round ${round}: ${problem}`))
    }
  }
  return results.map(({ shape, figures, problems }) => figures.result(shape.name, problems))
}
