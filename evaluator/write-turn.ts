import type { PoolClient } from 'pg'
import { type AuditEvent, appendToAuditChains } from '../db/audit/append.ts'
import { readOpenHubAlerts, readUnitAlerts } from '../db/evaluation/alert-rows.ts'
import { type EpisodeRange, type EpisodeScope, replaceEpisodes } from '../db/evaluation/episodes.ts'
import { writeUnitStatuses } from '../db/evaluation/unit-statuses.ts'
import { writeRuleStates } from '../db/evaluation/write-states.ts'
import { together } from '../db/together.ts'
import {
  auditEventOf,
  type OwnedChange,
  transitionOf,
  type WrittenChange,
  writeAlertChanges,
} from './alert-changes.ts'
import { readScopes } from './alert-scopes.ts'
import { reconcile } from './core/reconcile.ts'
import type { AlertRow } from './core/take-over.ts'
import type { AlertFacts } from './core/types.ts'
import type { HubFacts } from './hub-outages.ts'
import { judgeAlerts } from './judge-alerts.ts'
import { type LastReading, lastReadingOf } from './last-reading.ts'
import type { UnitFacts } from './overdue-looks.ts'
import { type PagesPlanned, planPages } from './paging/plan-pages.ts'
import type { PagingLimits } from './paging/types.ts'
import { queueAlertTransitions, type Transition } from './publishing/queue-alerts.ts'
import { queueUnitStatuses } from './publishing/queue-units.ts'
import { type DeviceContext, savedDevice, type UnitContext, viewOf } from './unit-context.ts'

/** What one transaction is to make of the memory. */
export interface TurnChanges {
  /** Units with raised episodes that changed, or whose alerts are to be looked at again. */
  units: readonly UnitContext[]
  /** What refolds have judged anew. */
  ranges: readonly EpisodeRange[]
  /** To be looked at though no episode of them has changed. */
  scopes: readonly EpisodeScope[]
  /** Alerts of units that no device has. */
  unitFacts: readonly UnitFacts[]
  /** Hubs of which something else is to be said than before. */
  hubs: readonly HubFacts[]
  /** Units whose status is another one now. */
  statuses: readonly UnitContext[]
  /** Devices whose state is to be stored, with their units. */
  devices: readonly { unit: UnitContext; device: DeviceContext }[]
  /** Units of which something was heard since they were last stored. */
  heard: readonly UnitContext[]
  /** Whether the pages of all open alerts are looked at, not only of those that have changed. */
  isPagingAll: boolean
}

export interface TurnResult {
  alerts: readonly WrittenChange[]
  /** Messages that wait to be published. */
  isToldOutside: boolean
}

/** Writes all of a turn within the caller's transaction. Doing it again with the same changes changes nothing. */
export async function writeTurn(
  client: PoolClient,
  turn: TurnChanges,
  { nowMs, limits }: { nowMs: number; limits: PagingLimits },
): Promise<TurnResult> {
  const [, ...changes] = await together(client, [
    () => writeRuleStates(client, turn.devices.map(stateRow)),
    () => unitChanges(client, turn),
    () => hubChanges(client, turn.hubs),
    () => factChanges(client, turn.unitFacts),
  ])
  const [alerts] = await together(client, [
    () => writeAlertChanges(client, changes.flat(), nowMs),
    () => writeUnitStatuses(client, [...new Set([...turn.statuses, ...turn.heard])].map(statusRow)),
  ])
  const pages = await planTurnPages(client, turn, alerts, { nowMs, limits })
  const transitions = [...transitionsOf(alerts), ...pages.transitions]
  const statuses = turn.statuses.map(({ config }) => ({ unitId: config.unitId, sinceMs: nowMs }))
  // As whoever changes an alert by hand: its row first, then the lock of messages, then that of the audit log.
  await together(client, [
    () => pages.write(),
    () => queueAlertTransitions(client, transitions, nowMs),
    () => queueUnitStatuses(client, statuses, nowMs),
    () => audit(client, alerts, nowMs),
  ])
  return { alerts, isToldOutside: transitions.length + turn.statuses.length > 0 }
}

function transitionsOf(alerts: readonly WrittenChange[]): Transition[] {
  return alerts.flatMap((alert) => {
    const transition = transitionOf(alert)
    return transition ? [{ alertId: alert.alertId, transition }] : []
  })
}

async function unitChanges(
  client: PoolClient,
  { units, ranges, scopes }: TurnChanges,
): Promise<OwnedChange[]> {
  const byId = new Map(units.map((unit) => [unit.config.unitId, unit]))
  const episodes = units.flatMap(({ config: { unitId }, changed }) =>
    [...changed.values()].map((episode) => ({ ...episode, unitId })),
  )
  const touched = episodes.map((episode) => ({ ...episode, fromMs: episode.startedAtMs }))
  const replace = () => replaceEpisodes(client, ranges, episodes)
  const read = (forgotten: readonly EpisodeScope[]) =>
    readScopes(client, [...scopes, ...forgotten, ...touched])
  // Without ranges nothing else is forgotten.
  const contents =
    ranges.length > 0 ? await read(await replace()) : (await together(client, [replace, () => read([])]))[1]
  return contents.flatMap((content) => {
    const unit = byId.get(content.scope.unitId)
    return unit ? judgeAlerts(unit, content) : []
  })
}

async function factChanges(client: PoolClient, given: readonly UnitFacts[]): Promise<OwnedChange[]> {
  const scopes = given.map(({ unit, track, facts }) => ({
    unitId: unit.config.unitId,
    ruleId: track.ruleId,
    conditionType: track.conditionType,
    fromMs: facts[0]?.startedAtMs ?? Infinity,
  }))
  const stored = await readUnitAlerts(client, scopes)
  return given.flatMap(({ unit: { config }, track, facts }) => {
    const rows = stored.filter(
      (row) => row.facts.unitId === config.unitId && row.facts.ruleId === track.ruleId,
    ) as AlertRow[]
    return ownedChanges(config.organizationId, rows, facts)
  })
}

function ownedChanges(
  organizationId: number,
  rows: readonly AlertRow[],
  facts: readonly AlertFacts[],
): OwnedChange[] {
  return reconcile(rows, facts, { isOut: () => false }).map((change) => ({
    organizationId,
    change,
    before: change.kind === 'insert' ? undefined : rows.find(({ id }) => id === change.id),
  }))
}

async function hubChanges(client: PoolClient, hubs: readonly HubFacts[]): Promise<OwnedChange[]> {
  if (hubs.length === 0) return []
  const stored = await readOpenHubAlerts(
    client,
    hubs.map(({ hubId }) => hubId),
  )
  const rowsOf = Map.groupBy(stored as AlertRow[], ({ facts }) => facts.hubId)
  return hubs.flatMap(({ hubId, organizationId, facts }) => {
    return ownedChanges(organizationId, rowsOf.get(hubId) ?? [], facts ? [facts] : [])
  })
}

async function planTurnPages(
  client: PoolClient,
  { isPagingAll }: TurnChanges,
  alerts: readonly WrittenChange[],
  at: { nowMs: number; limits: PagingLimits },
): Promise<Pick<PagesPlanned, 'transitions' | 'write'>> {
  const ofChanged = await planPages(client, { ...at, of: alerts })
  if (!isPagingAll) return ofChanged
  // They are among all.
  await ofChanged.write()
  const ofAll = await planPages(client, at)
  return { ...ofAll, transitions: [...ofChanged.transitions, ...ofAll.transitions] }
}

async function audit(client: PoolClient, alerts: readonly WrittenChange[], nowMs: number): Promise<void> {
  const events = new Map<number, AuditEvent[]>()
  for (const alert of alerts) {
    const event = auditEventOf(alert, nowMs)
    if (!event) continue
    const ofOrganization = events.get(alert.organizationId) ?? []
    ofOrganization.push(event)
    events.set(alert.organizationId, ofOrganization)
  }
  await appendToAuditChains(client, events)
}

function stateRow({ unit, device }: { unit: UnitContext; device: DeviceContext }) {
  return {
    unitId: unit.config.unitId,
    deviceId: device.config.deviceId,
    state: JSON.stringify(savedDevice(device)),
    newestAtMs: viewOf(device).newestAtMs,
  }
}

const HUNDREDTHS = 100

/** The unit as its row says it. */
function statusRow({ config: { unitId }, devices, status }: UnitContext) {
  let newest: { device: DeviceContext; last: LastReading } | undefined
  for (const device of devices.values()) {
    if (!device.config.hasTemperature) continue
    const last = lastReadingOf(device)
    if (last.atMs === null || last.atMs <= (newest?.last.atMs ?? -Infinity)) continue
    newest = { device, last }
  }
  const { atMs = null, temperature = null } = newest?.last ?? {}
  return {
    unitId,
    status,
    lastReadingAtMs: atMs,
    lastTemperature: newest && temperature ? celsiusOf(newest.device, temperature) : null,
  }
}

/** Null: the row keeps what it has. What is to be judged again may be of another offset. */
function celsiusOf(
  { config: { deviceId }, late }: DeviceContext,
  { atMs, centi, isJudged }: NonNullable<LastReading['temperature']>,
) {
  const isDoubtful = isJudged && late !== undefined && late.fromMs <= atMs
  return isDoubtful ? null : { celsius: centi / HUNDREDTHS, deviceId, atMs }
}
