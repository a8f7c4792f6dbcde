import { conditionSchema, type Condition as FleetCondition } from '../../db/fleet/conditions.ts'
import type { Condition } from '../core/types.ts'

const SECOND_MS = 1_000

/** °C with at most two decimals, which a double may miss by a little. */
const centi = (celsius: number) => Math.round(celsius * 100)

/** A rule's condition as the table has it: its numbers apart from its type. Throws for one that nobody can judge. */
export function parseCondition(type: string, numbers: unknown): Condition {
  const fields = typeof numbers === 'object' && numbers !== null ? numbers : {}
  const parsed = conditionSchema.safeParse({ ...fields, type })
  if (parsed.success) return toCondition(parsed.data)
  const issues = parsed.error.issues.map(
    ({ path, message }) => `${path.join('.') || 'condition'}: ${message}`,
  )
  throw new Error(
    `the condition ${type} ${JSON.stringify(numbers)} is not one that can be judged: ${issues.join('; ')}`,
  )
}

function toCondition(given: FleetCondition): Condition {
  switch (given.type) {
    case 'temperature_above':
    case 'temperature_below':
      return {
        type: given.type,
        limitCenti: centi(given.limit),
        hysteresisCenti: centi(given.hysteresis),
        inclusive: given.inclusive,
        forMs: given.for_seconds === undefined ? null : given.for_seconds * SECOND_MS,
      }
    case 'temperature_cumulative':
      return {
        type: given.type,
        direction: given.direction,
        limitCenti: centi(given.limit),
        totalMs: given.total_seconds * SECOND_MS,
        windowMs: given.window_seconds * SECOND_MS,
      }
    case 'temperature_n_of_m': {
      const { type, direction, limit, n, m } = given
      return { type, direction, limitCenti: centi(limit), n, m }
    }
    case 'rate_of_change': {
      const { type, direction, delta, window_seconds } = given
      return { type, direction, deltaCenti: centi(delta), windowMs: window_seconds * SECOND_MS }
    }
    case 'sensor_fault':
      return toSensorFault(given)
    case 'door_open':
      return { type: given.type, forMs: given.for_seconds * SECOND_MS }
    case 'manual_log_overdue':
      return { type: given.type, afterMs: given.after_seconds * SECOND_MS }
    case 'calibration_due':
      return { type: given.type, daysAhead: given.days_ahead }
    case 'no_data':
    case 'battery_below':
      return given
  }
}

function toSensorFault(given: FleetCondition & { type: 'sensor_fault' }): Condition {
  const { type, kind } = given
  if (kind === 'jump') return { type, kind, maxStepCenti: centi(given.max_step) }
  const forMs = given.for_seconds * SECOND_MS
  return kind === 'stuck' ? { type, kind, forMs, minReadings: given.min_readings } : { type, kind, forMs }
}
