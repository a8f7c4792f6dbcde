import { ALERT_TYPES, type ConditionType as FleetConditionType } from '../db/fleet/conditions.ts'
import type { OwnedChange } from './alert-changes.ts'
import type { ScopeContents } from './alert-scopes.ts'
import { mergeEpisodes } from './core/merge.ts'
import { reconcile } from './core/reconcile.ts'
import type { AlertRow } from './core/take-over.ts'
import type { ConditionType, Episode, RuleTrack } from './core/types.ts'
import { type UnitContext, viewOf } from './unit-context.ts'

/** What makes the alerts of a rule in a unit say what its episodes say. */
export function judgeAlerts(unit: UnitContext, { scope, episodes, alerts }: ScopeContents): OwnedChange[] {
  const conditionType = scope.conditionType as ConditionType
  const track = trackOf(unit, scope.ruleId, conditionType)
  const facts = mergeEpisodes(unit.config, track, episodes as Episode[])
  const rows = alerts as AlertRow[]
  const before = new Map(rows.map((row) => [row.id, row]))
  return reconcile(rows, facts, { isOut: (row) => isOut(unit, track, row) }).map((change) => ({
    organizationId: unit.config.organizationId,
    change,
    before: change.kind === 'insert' ? undefined : before.get(change.id),
  }))
}

/** A rule that never applied to the unit as it is now has no track; what there is of it ends. */
function trackOf(unit: UnitContext, ruleId: number | null, conditionType: ConditionType): RuleTrack {
  return (
    unit.config.tracks.find((track) => track.ruleId === ruleId && track.conditionType === conditionType) ?? {
      ruleId,
      name: '',
      conditionType,
      alertType: ALERT_TYPES[conditionType as FleetConditionType],
      versions: [],
    }
  )
}

/** Whether the newest reading of a device of the alert is still beyond. */
function isOut(unit: UnitContext, { alertType }: RuleTrack, { facts: { deviceId } }: AlertRow): boolean {
  if (alertType !== 'alarm_active') return false
  return [...unit.devices.values()].some((device) => {
    if (deviceId !== null && device.config.deviceId !== deviceId) return false
    const { newestAtMs, isGood } = viewOf(device)
    return newestAtMs !== null && !isGood
  })
}
