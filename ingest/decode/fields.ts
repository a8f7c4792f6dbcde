import { z } from 'zod'
import { TIME_EXPECTED, time } from '../payloads.ts'
import { isPlausibleTime, mistakenTimeUnit, readTime } from '../time.ts'
import { detailText } from './reject.ts'
import { isAbsent, quote } from './value.ts'

const compiledTime = z.compile(time)

const PLAUSIBLE_EXPECTED = 'expected a time from 2015-01-01 to 24 h after its arrival'

/** One problem as it stands in details and notes, for example `readings[3].at: expected …, got true`. */
export function fieldProblem(path: string, expected: string, value: unknown): string {
  return `${path}: ${expected}, got ${quote(value)}`
}

/** Says what is wrong with a time that is readable but implausible, and which unit it seems to be in. */
export function clockProblem(options: { path: string; value: unknown; atMs: number; receivedAtMs: number }) {
  const { path, value, atMs, receivedAtMs } = options
  const unit = typeof value === 'number' ? mistakenTimeUnit(atMs, receivedAtMs) : null
  const hint = unit === null ? '' : `; it looks like ${unit}: send milliseconds`
  return `${fieldProblem(path, PLAUSIBLE_EXPECTED, value)}${hint}`
}

/** A field that cannot reject its message: undefined, with a note, if it is bad, and undefined if it is absent. */
export function optionalField<T>(
  schema: z.ZodType<T>,
  field: { path: string; value: unknown },
  notes: string[],
) {
  const { path, value } = field
  if (isAbsent(value)) return undefined
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  const expected = parsed.error.issues[0]?.message ?? 'expected another value'
  notes.push(detailText(`${fieldProblem(path, expected, value)}; ignored`))
  return undefined
}

/** `sent_at`, the sender's clock, in epoch milliseconds: it has the forms of `at` and must be as plausible. */
export function optionalSentAt(value: unknown, receivedAtMs: number, notes: string[]): number | undefined {
  const path = 'sent_at'
  const sentAt = optionalField(compiledTime, { path, value }, notes)
  if (sentAt === undefined) return undefined
  const sentAtMs = readTime(sentAt)
  if (sentAtMs !== null && isPlausibleTime(sentAtMs, receivedAtMs)) return sentAtMs
  const problem =
    sentAtMs === null
      ? fieldProblem(path, TIME_EXPECTED, value)
      : clockProblem({ path, value, atMs: sentAtMs, receivedAtMs })
  notes.push(detailText(`${problem}; ignored`))
  return undefined
}
