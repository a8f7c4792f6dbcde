import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** They start processes and servers and wait for them. */
const SLOW = /\/(?:commands|contract|faults|deploy|db\/embedded|ingest\/replay|ingest\/spool)\//

/**
 * In a fresh checkout vitest does not know how long a file takes, and starts the largest first: a short file with slow tests
 * would be left for the end, when the other workers have nothing to do any more.
 */
export class SlowTestsFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files)
    if (files.every((file) => this.ctx.cache.getTestSpecificationResult(file))) return sorted
    return sorted.toSorted((a, b) => rank(a) - rank(b))
  }
}

/** Files that run alone stay before the others: a process that many share ends when one of them is next. */
function rank({ moduleId, project }: TestSpecification): number {
  return Number(!project.config.isolate) * 2 + Number(!SLOW.test(moduleId))
}
