import { z } from 'zod'
import { integerSetting } from '../settings.ts'

/** Settings of the evaluator, from the environment. */
export const evaluatorSettings = {
  /** Whether `npm start` evaluates; off where `npm run evaluator` does. */
  EVALUATOR: z
    .enum(['inline', 'off'], { error: 'expected inline or off (then run `npm run evaluator` beside it)' })
    .default('inline'),
  EVALUATOR_HANDED_ROWS_MAX: integerSetting({
    min: 0,
    max: 1_000_000,
    default: 200_000,
    unit: 'committed rows in memory',
  }),
  EVALUATOR_PAGE_ROWS_MAX: integerSetting({ min: 100, max: 1_000_000, default: 20_000, unit: 'rows' }),
  EVALUATOR_POLL_MS: integerSetting({ min: 10, max: 60_000, default: 100, unit: 'milliseconds' }),
  EVALUATOR_SAVE_MS: integerSetting({ min: 0, max: 60_000, default: 5_000, unit: 'milliseconds' }),
  /** An alert of another unit may come so much later. */
  EVALUATOR_LATE_MS: integerSetting({ min: 100, max: 60_000, default: 2_000, unit: 'milliseconds' }),
  EVALUATOR_LEASE_MS: integerSetting({ min: 1_000, max: 600_000, default: 15_000, unit: 'milliseconds' }),
  /** For a broker that is away, while another one publishes them. */
  ALERTS_KEPT_HOURS: integerSetting({ min: 1, max: 8_760, default: 24, unit: 'hours' }),
}

export type EvaluatorSettings = z.output<z.ZodObject<typeof evaluatorSettings>>
