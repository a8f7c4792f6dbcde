import type { ClientBase } from 'pg'
import { readDeliveries, readMessageTimes, writeDeliveries, writePaged } from '../../db/paging/deliveries.ts'
import {
  type ContactRow,
  type PagedAlertRow,
  readAlerts,
  readAlertsToPage,
  readContacts,
} from '../../db/paging/read-alerts.ts'
import { contactOf, pagedAlert, type SiteContact } from './paged-alert.ts'
import { type AlertPlan, planAlert } from './plan-alert.ts'
import { spread } from './spread.ts'
import type { Delivery, PagedAlert, PagingLimits } from './types.ts'

export interface PagesPlanned {
  /** What has become of alerts by it. */
  transitions: { alertId: number; transition: 'amended' | 'escalated' }[]
  /** Messages written, and of these those that wait for the next message of their recipient. */
  deliveries: number
  grouped: number
  /** Open alerts that have not paged: for want of a fresh reading, held, or because of quiet hours. */
  waiting: { stale: number; held: number; quiet: number }
}

/**
 * Writes the messages that are due at `nowMs` about the given alerts, or about all that are open, within the evaluator's
 * transaction: after its changes to alerts, episodes and states, and before they are published. What it decides follows
 * from what the tables say is true and what people were told before, so a repetition says nothing twice.
 */
export async function planPages(
  client: ClientBase,
  { nowMs, limits, alertIds }: { nowMs: number; limits: PagingLimits; alertIds?: readonly number[] },
): Promise<PagesPlanned> {
  const rows = alertIds
    ? await readAlerts(client, { alertIds, nowMs })
    : await readAlertsToPage(client, { nowMs, escalationMs: limits.escalationMs })
  const alerts = await readPagedAlerts(client, rows, nowMs)
  const plans = alerts.map((alert) => ({ alert, plan: planAlert(alert, nowMs, limits) }))
  const { deliveries, grouped } = await spreadOut(
    client,
    plans.flatMap(({ plan }) => plan.deliveries),
    { nowMs, limits },
  )
  await writeDeliveries(client, deliveries, nowMs)
  const firstAtMs = firstTimes(deliveries)
  const changed = plans.filter(
    ({ alert, plan }) => plan.escalates || (alert.pagedAtMs === null && firstAtMs.has(alert.alertId)),
  )
  await writePaged(
    client,
    changed.map(({ alert: { alertId }, plan }) => ({
      alertId,
      pagedAtMs: firstAtMs.get(alertId) ?? null,
      escalationLevel: plan.escalationLevel,
      escalates: plan.escalates,
    })),
    nowMs,
  )
  return {
    transitions: changed.map(({ alert: { alertId }, plan: { escalates } }) => ({
      alertId,
      transition: escalates ? 'escalated' : 'amended',
    })),
    deliveries: deliveries.length,
    grouped,
    waiting: waitingOf(plans.map(({ plan }) => plan)),
  }
}

function firstTimes(deliveries: readonly Delivery[]): Map<number, number> {
  const times = new Map<number, number>()
  for (const { alertId, kind, isUnreachable, scheduledAtMs } of deliveries) {
    if (isUnreachable || (kind !== 'page' && kind !== 'last_known')) continue
    times.set(alertId, Math.min(times.get(alertId) ?? scheduledAtMs, scheduledAtMs))
  }
  return times
}

function waitingOf(plans: readonly AlertPlan[]): PagesPlanned['waiting'] {
  const waiting = { stale: 0, held: 0, quiet: 0 }
  for (const { waits } of plans) if (waits) waiting[waits] += 1
  return waiting
}

async function readPagedAlerts(
  client: ClientBase,
  rows: readonly PagedAlertRow[],
  nowMs: number,
): Promise<PagedAlert[]> {
  if (rows.length === 0) return []
  const contacts = await readContacts(client, [...new Set(rows.map((row) => row.organizationId))])
  const contactsOf = contactsBySite(contacts, nowMs)
  const alertIds = rows.map(({ alertId }) => alertId)
  const toldOf = Map.groupBy(await readDeliveries(client, alertIds), ({ alertId }) => alertId)
  return rows.map((row) =>
    pagedAlert(row, { nowMs, contacts: contactsOf(row), told: toldOf.get(row.alertId) ?? [] }),
  )
}

/** The contacts of an alert's organization by the clock of its site, worked out once for all alerts that share them. */
function contactsBySite(contacts: readonly ContactRow[], nowMs: number) {
  const ofOrganization = Map.groupBy(contacts, ({ organizationId }) => organizationId)
  const known = new Map<string, SiteContact[]>()
  return ({ organizationId, timezone }: PagedAlertRow): SiteContact[] => {
    const key = `${organizationId} ${timezone}`
    const found =
      known.get(key) ??
      (ofOrganization.get(organizationId) ?? []).map((row) => contactOf(row, { nowMs, timezone }))
    known.set(key, found)
    return found
  }
}

async function spreadOut(
  client: ClientBase,
  deliveries: readonly Delivery[],
  { nowMs, limits }: { nowMs: number; limits: PagingLimits },
): Promise<{ deliveries: Delivery[]; grouped: number }> {
  if (deliveries.length === 0) return { deliveries: [], grouped: 0 }
  const organizationIds = [...new Set(deliveries.map(({ organizationId }) => organizationId))]
  const earlier = await readMessageTimes(client, {
    organizationIds,
    sinceMs: nowMs - limits.singlesWindowMs,
  })
  return spread(deliveries, earlier, { nowMs, limits })
}
