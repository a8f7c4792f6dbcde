import { appendAuditEvents, lockAuditChain } from '../audit/append.ts'
import type { Transaction } from '../client.ts'
import { alertRulesHistory } from '../schema/index.ts'
import { ACTOR, type Change, toAuditEvent } from './changes.ts'
import type { FlatFleet } from './flatten.ts'
import { byColumnName, KIND_NAMES, KINDS, type KindName, type Values } from './kinds.ts'
import { reconcile } from './reconcile.ts'
import type { FleetState } from './state.ts'
import { type Ids, wantedRows } from './wanted.ts'
import { writeKind } from './write-kind.ts'
import { type SecretChanges, type SecretOutcome, writeOperatorSecret, writeSecrets } from './write-secrets.ts'

/** Rows per statement: each has 7 parameters, and a statement holds 65,535. */
const HISTORY_ROWS_PER_INSERT = 1_000

export interface FleetWrite {
  flat: FlatFleet
  /** As the database was before. */
  state: FleetState
  secrets: SecretChanges
  prune: boolean
  now: Date
}

export interface Written {
  changes: Change[]
  unchanged: Record<KindName, number>
}

/** Makes the database have what the file says, with the history of rules and the audit log, in the caller's transaction. */
export async function writeFleet(tx: Transaction, write: FleetWrite): Promise<Written> {
  const { organizationId, changes, ids, unchanged } = await writeKinds(tx, write)
  const outcomes = await writeSecrets(tx, write.secrets, { ids, state: write.state })
  noteSecrets(changes, outcomes)
  await writeHistory(tx, organizationId, changes, write.now)
  const operator = write.secrets.made.find(({ logIn }) => logIn.kind === 'operator')
  if (operator) await writeOperatorSecret(tx, organizationId, operator.hash)
  const events = changes.map((change) => toAuditEvent(change, write.now))
  if (operator) events.push(operatorEvent(organizationId, write))
  await appendAuditEvents(tx, organizationId, events)
  return { changes, unchanged }
}

async function writeKinds(tx: Transaction, { flat, state, prune, now }: FleetWrite) {
  const changes: Change[] = []
  const ids = {} as Ids
  const unchanged = {} as Written['unchanged']
  let organizationId: number | undefined
  for (const name of KIND_NAMES) {
    const rows = wantedRows(name, flat, ids)
    const plan = reconcile(KINDS[name], rows, state.rows[name], prune && name !== 'organization')
    const context = organizationId === undefined ? { now } : { organizationId, now }
    const written = await writeKind(tx, name, plan, context)
    changes.push(...written.changes)
    ids[name] = written.ids
    unchanged[name] = plan.unchanged.length
    if (organizationId !== undefined) continue
    organizationId = [...written.ids.values()][0]
    // Before anything else of the organization is written, so that another writer waits instead of meeting us halfway.
    if (organizationId !== undefined) await lockAuditChain(tx, organizationId)
  }
  if (organizationId === undefined) throw new Error('The organization was not written')
  return { organizationId, changes, ids, unchanged }
}

/** One change for each thing: what happened to its secret joins what else happened to it. */
function noteSecrets(changes: Change[], outcomes: readonly SecretOutcome[]): void {
  const place = (change: Pick<Change, 'kind' | 'id'>) => `${change.kind} ${change.id}`
  const known = new Map(changes.map((change) => [place(change), change]))
  for (const outcome of outcomes) {
    const change = known.get(place(outcome))
    if (change) change.secret = outcome.secret
    else changes.push({ ...outcome, action: 'updated', before: {}, after: {}, changed: [] })
  }
}

async function writeHistory(
  tx: Transaction,
  organizationId: number,
  changes: readonly Change[],
  now: Date,
): Promise<void> {
  const rules = changes.filter(({ kind }) => kind === 'alert_rule')
  const values = (rule: Values | null) => rule && byColumnName(KINDS.alert_rule, rule)
  const rows = rules.map(({ id, version = 1, before, after }) => ({
    organizationId,
    ruleId: id,
    version,
    changedAt: now,
    reason: ACTOR,
    oldValues: values(before),
    newValues: values(after),
  }))
  for (let start = 0; start < rows.length; start += HISTORY_ROWS_PER_INSERT) {
    await tx.insert(alertRulesHistory).values(rows.slice(start, start + HISTORY_ROWS_PER_INSERT))
  }
}

function operatorEvent(organizationId: number, { state, now }: FleetWrite) {
  return {
    actor: ACTOR,
    action: state.operatorHasSecret ? 'updated' : 'created',
    entityType: 'operator_credential',
    entityId: organizationId,
    oldValues: { credential: state.operatorHasSecret ? 'set' : 'none' },
    newValues: { credential: state.operatorHasSecret ? 'replaced' : 'set' },
    occurredAt: now,
  }
}
