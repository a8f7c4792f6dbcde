import type { UnitContext } from './unit-context.ts'
import type { TurnChanges } from './write-turn.ts'

/** What of a turn can be written without the rest: all of some units and hubs. */
export interface TurnPart {
  unitIds: ReadonlySet<number>
  hubIds: ReadonlySet<number>
}

/** Everything in a turn but the pages of what has not changed. */
export function wholeTurn({ units, unitFacts, hubs, statuses, devices, heard }: TurnChanges): TurnPart {
  const concerned = [...units, ...statuses, ...heard, ...[...unitFacts, ...devices].map(({ unit }) => unit)]
  return {
    unitIds: new Set(concerned.map(({ config }) => config.unitId)),
    hubIds: new Set(hubs.map(({ hubId }) => hubId)),
  }
}

/** Two halves; undefined: it is one unit or hub, or nothing. */
export function halves({ unitIds, hubIds }: TurnPart): [TurnPart, TurnPart] | undefined {
  const all = [...unitIds, ...hubIds]
  if (all.length < 2) return undefined
  const middle = Math.ceil(all.length / 2)
  const part = (from: number, to: number) => ({
    unitIds: new Set(all.slice(Math.min(from, unitIds.size), Math.min(to, unitIds.size))),
    hubIds: new Set(all.slice(Math.max(from, unitIds.size), Math.max(to, unitIds.size))),
  })
  return [part(0, middle), part(middle, all.length)]
}

export function changesOf(turn: TurnChanges, { unitIds, hubIds }: TurnPart): TurnChanges {
  const isIn = ({ config }: UnitContext) => unitIds.has(config.unitId)
  return {
    units: turn.units.filter(isIn),
    ranges: turn.ranges.filter(({ unitId }) => unitIds.has(unitId)),
    scopes: turn.scopes.filter(({ unitId }) => unitIds.has(unitId)),
    unitFacts: turn.unitFacts.filter(({ unit }) => isIn(unit)),
    hubs: turn.hubs.filter(({ hubId }) => hubIds.has(hubId)),
    statuses: turn.statuses.filter(isIn),
    devices: turn.devices.filter(({ unit }) => isIn(unit)),
    heard: turn.heard.filter(isIn),
    isPagingAll: false,
  }
}
