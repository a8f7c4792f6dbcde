import { z } from 'zod'
import type { alertType } from '../schema/index.ts'
import { celsius, celsiusStep, strictObject, wholeNumber } from './fields.ts'

const SECONDS_MAX = 30 * 86_400
const DAYS_MAX = 3_650

/** A windowed rule keeps this many readings of a device at most. */
const WINDOW_READINGS_MAX = 4_096

const seconds = (min = 0) => wholeNumber({ min, max: SECONDS_MAX, unit: 'seconds' })
const direction = z.enum(['above', 'below'])

/** `for_seconds` absent = the evaluator's confirm time, which is longer while the door is open. */
const limitFields = {
  limit: celsius(),
  for_seconds: seconds().optional(),
  hysteresis: celsiusStep().default(0.5),
  inclusive: z.boolean().default(false),
}

const cumulative = strictObject({
  type: z.literal('temperature_cumulative'),
  direction,
  limit: celsius(),
  total_seconds: seconds(1),
  window_seconds: seconds(1),
}).refine((value) => value.total_seconds <= value.window_seconds, {
  path: ['total_seconds'],
  error: 'must not be more than window_seconds: it could never be met',
})

const readings = wholeNumber({ min: 1, max: WINDOW_READINGS_MAX, unit: 'readings' })

const nOfM = strictObject({
  type: z.literal('temperature_n_of_m'),
  direction,
  limit: celsius(),
  n: readings,
  m: readings,
}).refine((value) => value.n <= value.m, {
  path: ['n'],
  error: 'must not be more than m: it could never be met',
})

/** The change may also be given as `limit`, as other systems call it; it is kept as `delta`. */
const rateOfChange = strictObject({
  type: z.literal('rate_of_change'),
  direction: z.enum(['rising', 'falling']),
  delta: celsiusStep().optional(),
  limit: celsiusStep().optional(),
  window_seconds: seconds(1),
}).transform(({ delta, limit, ...rest }, context) => {
  const step = delta ?? limit
  if (step !== undefined && step > 0 && (delta === undefined || limit === undefined))
    return { ...rest, delta: step }
  context.addIssue({
    code: 'custom',
    path: ['delta'],
    message: 'must be given once, as a change of more than 0 °C',
  })
  return z.NEVER
})

const sensorFault = z.discriminatedUnion('kind', [
  strictObject({
    type: z.literal('sensor_fault'),
    kind: z.literal('stuck'),
    for_seconds: seconds(1).default(7_200),
    min_readings: readings.default(6),
  }),
  strictObject({
    type: z.literal('sensor_fault'),
    kind: z.literal('jump'),
    max_step: celsiusStep().refine((step) => step > 0, 'must be more than 0'),
  }),
  strictObject({
    type: z.literal('sensor_fault'),
    kind: z.literal('fault'),
    for_seconds: seconds().default(600),
  }),
])

/** Every condition that a rule may have, with its defaults. */
export const conditionSchema = z.discriminatedUnion('type', [
  strictObject({ type: z.literal('temperature_above'), ...limitFields }),
  strictObject({ type: z.literal('temperature_below'), ...limitFields }),
  cumulative,
  nOfM,
  rateOfChange,
  strictObject({
    type: z.literal('no_data'),
    missed: wholeNumber({ min: 1, max: 10_000, unit: 'check-ins' }).default(5),
  }),
  strictObject({ type: z.literal('door_open'), for_seconds: seconds().default(300) }),
  strictObject({
    type: z.literal('battery_below'),
    limit: z.number().min(1, 'must be 1 to 100 %').max(100, 'must be 1 to 100 %').default(20),
  }),
  sensorFault,
  strictObject({ type: z.literal('manual_log_overdue'), after_seconds: seconds(1) }),
  strictObject({
    type: z.literal('calibration_due'),
    days_ahead: wholeNumber({ min: 0, max: DAYS_MAX, unit: 'days' }),
  }),
])

/** As a person writes it: defaults may be left out. */
export type ConditionInput = z.input<typeof conditionSchema>
export type Condition = z.output<typeof conditionSchema>
export type ConditionType = Condition['type']

type AlertType = (typeof alertType.enumValues)[number]

/** What each condition raises. */
export const ALERT_TYPES: Record<ConditionType, AlertType> = {
  temperature_above: 'alarm_active',
  temperature_below: 'alarm_active',
  temperature_cumulative: 'alarm_active',
  temperature_n_of_m: 'alarm_active',
  rate_of_change: 'alarm_active',
  no_data: 'monitoring_interrupted',
  door_open: 'door_open',
  battery_below: 'low_battery',
  sensor_fault: 'sensor_fault',
  manual_log_overdue: 'missed_manual_entry',
  calibration_due: 'calibration_due',
}
