import { type AlertChange, reconcile } from '../core/reconcile.ts'
import type { AlertFacts } from '../core/types.ts'
import { pagingLimits } from '../paging/config.ts'
import { planAlert } from '../paging/plan-alert.ts'
import type { Evidence, PagedAlert, Told } from '../paging/types.ts'
import { applyChanges, type KeptRow, liveRows } from './alert-rows.ts'

const LIMITS = pagingLimits({
  PAGE_LAST_KNOWN_SECONDS: 600,
  PAGE_ESCALATION_SECONDS: 900,
  PAGE_SINGLES_MAX: 20,
  PAGE_SINGLES_WINDOW_SECONDS: 600,
  PAGE_GROUP_SECONDS: 60,
})

/** What became of an alert, beside its row. */
export interface Journal {
  raisedAtMs: number
  withdrawnAtMs: number | null
  pagedAtMs: number | null
  evidenceAtMs: number
  told: Told[]
}

/** The alerts of one rule in a unit, or of a hub, with their pages: rows as the database keeps them. */
export class VirtualAlerts {
  rows: KeptRow[] = []
  readonly journals = new Map<number, Journal>()

  /** Makes the rows say the facts. `isOut`: whether a device of the alert is still out. */
  reconcile(facts: readonly AlertFacts[], nowMs: number, isOut: boolean): void {
    const live = liveRows(this.rows)
    const changes = reconcile(live, facts, { isOut: () => isOut })
    const before = new Set(this.rows.map(({ id }) => id))
    this.rows = applyChanges(this.rows, changes, nowMs)
    for (const { id } of this.rows) if (!before.has(id)) this.#begin(id, nowMs)
    for (const change of changes) this.#note(change, nowMs)
  }

  /** Pages and notices that are due. */
  page(nowMs: number, now: { isHeld: boolean; evidence: 'clock' | readonly Evidence[] }): void {
    this.rows = this.rows.map((row) => {
      const journal = this.journalOf(row)
      const plan = planAlert(pagedAlert(row, journal, now), nowMs, LIMITS)
      journal.told.push(...plan.deliveries)
      const isPaged = plan.deliveries.some(({ kind }) => kind === 'page' || kind === 'last_known')
      if (isPaged) journal.pagedAtMs ??= nowMs
      return { ...row, wasPaged: journal.pagedAtMs !== null }
    })
  }

  journalOf({ id }: KeptRow): Journal {
    const journal = this.journals.get(id)
    if (!journal) throw new Error(`no journal of row ${id}`)
    return journal
  }

  #begin(id: number, nowMs: number): void {
    this.journals.set(id, {
      raisedAtMs: nowMs,
      withdrawnAtMs: null,
      pagedAtMs: null,
      evidenceAtMs: nowMs,
      told: [],
    })
  }

  #note(change: AlertChange, nowMs: number): void {
    if (change.kind === 'insert') return
    const journal = this.journals.get(change.id)
    if (!journal) return
    if (change.kind === 'withdraw') journal.withdrawnAtMs = nowMs
    if (change.kind !== 'keep_unproven') journal.evidenceAtMs = nowMs
  }
}

function pagedAlert(
  row: KeptRow,
  journal: Journal,
  now: { isHeld: boolean; evidence: 'clock' | readonly Evidence[] },
): PagedAlert {
  const { id, facts, withdrawn, resolvedAtMs, resolvedBy } = row
  const ended = resolvedBy === 'person' ? 'by_person' : facts.resolution
  return {
    alertId: id,
    organizationId: 1,
    siteId: 1,
    severity: facts.severity,
    status: resolvedAtMs === null ? 'active' : 'resolved',
    resolution: withdrawn ? 'withdrawn' : ended,
    evidence: now.evidence,
    evidenceAtMs: journal.evidenceAtMs,
    pagedAtMs: journal.pagedAtMs,
    escalatedAtMs: null,
    escalationLevel: journal.pagedAtMs === null ? 0 : 1,
    told: journal.told,
    isHeld: now.isHeld,
    contacts: [
      {
        contactId: 1,
        profileId: null,
        level: 1,
        addresses: [{ channel: 'email', recipient: 'oncall@example.com' }],
        quietUntilMs: null,
      },
    ],
    operators: 'example',
  }
}
