import { ALERT_TYPES, type Condition, conditionSchema } from './conditions.ts'
import type { FleetRule } from './fleet-file.ts'
import { PRESETS } from './presets.ts'

/** A rule with one condition; its numbers are apart from its type, as in the table. */
export interface PlainRule extends Pick<FleetRule, 'name' | 'scope' | 'severity' | 'enabled' | 'schedule'> {
  conditionType: Condition['type']
  alertType: (typeof ALERT_TYPES)[Condition['type']]
  condition: Record<string, unknown>
  preset: string | null
  presetVersion: number | null
}

/** One rule per condition; those of a preset all have the name that was given. */
export function expandRule(rule: FleetRule): PlainRule[] {
  const { condition } = rule
  if (!('preset' in condition)) return [plainRule(rule, condition)]
  const preset = PRESETS[condition.preset]
  if (!preset) throw new Error(`The fleet schema let the unknown preset ${condition.preset} pass`)
  const made = { preset: condition.preset, presetVersion: preset.version }
  return preset.conditions
    .map((input) => conditionSchema.parse(input))
    .map((parsed) => ({ ...plainRule(rule, parsed), ...made }))
}

function plainRule(rule: FleetRule, { type, ...numbers }: Condition): PlainRule {
  const { name, scope, severity, enabled, schedule } = rule
  return {
    name,
    scope,
    severity,
    enabled,
    schedule,
    conditionType: type,
    alertType: ALERT_TYPES[type],
    condition: numbers,
    preset: null,
    presetVersion: null,
  }
}
