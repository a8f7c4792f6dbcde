import type { ClientBase } from 'pg'
import { readDeliveries, readMessageTimes, writeDeliveries, writePaged } from '../../db/paging/deliveries.ts'
import {
  type ContactRow,
  type PagedAlertRow,
  readAlerts,
  readAlertsToPage,
  readContacts,
} from '../../db/paging/read-alerts.ts'
import { together } from '../../db/together.ts'
import { contactOf, pagedAlert, type SiteContact } from './paged-alert.ts'
import { type AlertPlan, planAlert } from './plan-alert.ts'
import { type EarlierMessage, spread } from './spread.ts'
import type { Delivery, PagedAlert, PagingLimits } from './types.ts'

export interface PagesPlanned {
  /** Writes them; until then nothing is. */
  write(): Promise<void>
  /** What has become of alerts by it. */
  transitions: { alertId: number; transition: 'amended' | 'escalated' }[]
  /** Messages to be written, and of these those that wait for the next message of their recipient. */
  deliveries: number
  grouped: number
  /** Open alerts that have not paged: for want of a fresh reading, held, or because of quiet hours. */
  waiting: { stale: number; held: number; quiet: number }
}

interface Owned {
  alertId: number
  organizationId: number
}

/**
 * Plans the messages that are due at `nowMs` about the given alerts, or about all that are open, within the evaluator's
 * transaction: after its changes to alerts, episodes and states; and they are written before those are published. What it decides
 * follows from what the tables say is true and what people were told before, so a repetition says nothing twice.
 */
export async function planPages(
  client: ClientBase,
  { nowMs, limits, of }: { nowMs: number; limits: PagingLimits; of?: readonly Owned[] },
): Promise<PagesPlanned> {
  const due = of ? undefined : await readAlertsToPage(client, { nowMs, escalationMs: limits.escalationMs })
  const { alerts, earlier } = await readAbout(client, of ?? due ?? [], { due, nowMs, limits })
  const plans = alerts.map((alert) => ({ alert, plan: planAlert(alert, nowMs, limits) }))
  const { deliveries, grouped } = spread(
    plans.flatMap(({ plan }) => plan.deliveries),
    earlier,
    { nowMs, limits },
  )
  const firstAtMs = firstTimes(deliveries)
  const changed = plans.filter(
    ({ alert, plan }) => plan.escalates || (alert.pagedAtMs === null && firstAtMs.has(alert.alertId)),
  )
  const paged = changed.map(({ alert: { alertId }, plan }) => ({
    alertId,
    pagedAtMs: firstAtMs.get(alertId) ?? null,
    escalationLevel: plan.escalationLevel,
    escalates: plan.escalates,
  }))
  return {
    async write() {
      await together(client, [
        () => writeDeliveries(client, deliveries, nowMs),
        () => writePaged(client, paged, nowMs),
      ])
    },
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

/** All that is known of these alerts, and when their organizations were last sent something. `due`: their rows, if they are read. */
async function readAbout(
  client: ClientBase,
  about: readonly Owned[],
  { due, nowMs, limits }: { due: PagedAlertRow[] | undefined; nowMs: number; limits: PagingLimits },
): Promise<{ alerts: PagedAlert[]; earlier: EarlierMessage[] }> {
  if (about.length === 0) return { alerts: [], earlier: [] }
  const alertIds = about.map(({ alertId }) => alertId)
  const organizationIds = [...new Set(about.map(({ organizationId }) => organizationId))]
  const [rows, contacts, told, earlier] = await together(client, [
    async () => due ?? readAlerts(client, { alertIds, nowMs }),
    () => readContacts(client, organizationIds),
    () => readDeliveries(client, alertIds),
    () => readMessageTimes(client, { organizationIds, sinceMs: nowMs - limits.singlesWindowMs }),
  ])
  const contactsOf = contactsBySite(contacts, nowMs)
  const toldOf = Map.groupBy(told, ({ alertId }) => alertId)
  const alerts = rows.map((row) =>
    pagedAlert(row, { nowMs, contacts: contactsOf(row), told: toldOf.get(row.alertId) ?? [] }),
  )
  return { alerts, earlier }
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
