import { z } from 'zod'
import { strictObject } from './fields.ts'

const DAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const

const time = (pattern: RegExp, range: string) =>
  z.string().regex(pattern, `must be a time of day, ${range}, such as "08:30"`)

/** From `from` to before `to` by the clock of the site's time zone; to the next day where `to` is the earlier one. */
const windowSchema = strictObject({
  days: z
    .array(z.enum(DAYS))
    .min(1, 'must name at least one day; leave it out for every day')
    .default([...DAYS])
    .transform((days) => DAYS.filter((day) => days.includes(day))),
  from: time(/^(?:[01]\d|2[0-3]):[0-5]\d$/, '00:00 to 23:59'),
  to: time(/^(?:(?:[01]\d|2[0-3]):[0-5]\d|24:00)$/, '00:00 to 24:00'),
}).refine((value) => value.from !== value.to, {
  path: ['to'],
  error: 'must differ from `from`; for a whole day, 00:00 to 24:00',
})

/** When a rule may page. Days are those on which a window begins. */
export const scheduleSchema = strictObject({
  windows: z.array(windowSchema).min(1, 'must have at least one window; leave the schedule out for always'),
})
