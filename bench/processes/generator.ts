import type { LoadNews, LoadPhase } from '../generator/load.ts'
import { type LoadResult, loadResult } from '../generator/result.ts'
import { type Child, startChild } from './child.ts'

/** The load generator in a process of its own. `args` as of `bench load`. */
export function startGenerator(
  args: readonly string[],
  options: {
    resources: AsyncDisposableStack
    onPhase: (phase: LoadPhase) => void
    /** About once a second: messages acknowledged so far. */
    onProgress?: (acknowledgedMessages: number) => void
  },
): Child {
  const { resources, onPhase, onProgress } = options
  const child = startChild({ script: 'bench/generator/main.ts', args }, resources)
  child.onMessage((message) => {
    const news = message as LoadNews
    if ('phase' in news) onPhase(news.phase)
    else onProgress?.(news.acknowledgedMessages)
  })
  return child
}

/** Waits for its end; throws what it says when it could not run, not when messages were lost. */
export async function resultOf(generator: Child): Promise<LoadResult> {
  const code = await generator.ended
  if (generator.stdout === '') {
    throw new Error(`The load generator ended with ${code}:\n${generator.stderr}`)
  }
  return loadResult.parse(JSON.parse(generator.stdout))
}
