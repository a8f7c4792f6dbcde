import type { BenchContext } from '../context.ts'
import type { WorkloadResult } from '../report/figures.ts'

/** Something that `npm run bench` measures: it takes what it needs from the context and returns named figures. */
export interface Workload {
  name: string
  /** For the help. */
  description: string
  run(context: BenchContext): Promise<WorkloadResult>
}
