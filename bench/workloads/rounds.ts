import type { BenchContext, LoadShape } from '../context.ts'
import { FigureSet, type ShapeResult } from '../report/figures.ts'

/** Adds the figures of one round; returns why the round does not count: a sentence for each reason. */
export type Round = (context: BenchContext, shape: LoadShape, figures: FigureSet) => Promise<string[]>

/**
 * Measures every shape in each round, so that what is compared is of the same minutes. The figures of a round that
 * does not count are left out.
 */
export async function inRounds(
  context: BenchContext,
  shapes: readonly LoadShape[],
  measure: Round,
): Promise<ShapeResult[]> {
  const results = shapes.map((shape) => ({ shape, figures: new FigureSet(), problems: [] as string[] }))
  for (let round = 1; round <= context.rounds; round++) {
    for (const { shape, figures, problems } of results) {
      context.progress(`round ${round} of ${context.rounds}: ${shape.name}`)
      figures.beginRound(round)
      const found = await measure(context, shape, figures)
      problems.push(...found.map((problem) => `round ${round}: ${problem}`))
    }
  }
  return results.map(({ shape, figures, problems }) => figures.result(shape.name, problems))
}
