import { drizzle } from 'drizzle-orm/node-postgres'
import type { Pool, PoolClient } from 'pg'
import { z } from 'zod'
import {
  type AlertToChange,
  type ByHand,
  lockAlert,
  writeAcknowledged,
  writeResolved,
} from '../db/alerts/by-hand.ts'
import { appendAuditEvents } from '../db/audit/append.ts'
import { onConnection } from '../db/batches/transaction.ts'
import { queueAlertTransitions } from './publishing/queue-alerts.ts'

/** An alert that cannot be changed so; the message says why, and what to do. */
export class AlertRefusal extends Error {
  override name = 'AlertRefusal'
}

const NO_SUCH_ALERT = 'there is no such alert'

export interface ByHandRequest {
  /** Its public id. */
  alert: string
  /** Of the person; null = not known. */
  profileId: number | null
  nowMs: number
}

/**
 * Somebody takes care of the alert: it pages nobody any more. Returns whether that is new. Throws an `AlertRefusal` for one
 * that is resolved, or that does not exist.
 */
export function acknowledgeAlert(pool: Pool, request: ByHandRequest): Promise<boolean> {
  return changeByHand(pool, request, {
    status: 'acknowledged',
    refusal: ({ status }) =>
      status === 'resolved' ? 'it is resolved, so there is nothing to acknowledge' : undefined,
    write: writeAcknowledged,
  })
}

/**
 * Closes the alert. Returns whether that is new. Throws an `AlertRefusal` while its condition holds, and for one that does
 * not exist.
 */
export function resolveAlert(pool: Pool, request: ByHandRequest): Promise<boolean> {
  return changeByHand(pool, request, {
    status: 'resolved',
    refusal: ({ holds }) => (holds ? 'its condition still holds: acknowledge it instead' : undefined),
    write: writeResolved,
  })
}

interface Change {
  status: 'acknowledged' | 'resolved'
  /** Why it may not be made, in the end of a sentence. */
  refusal: (alert: AlertToChange) => string | undefined
  write: (client: PoolClient, by: ByHand) => Promise<void>
}

async function changeByHand(pool: Pool, request: ByHandRequest, change: Change): Promise<boolean> {
  const { alert } = request
  const found = z.uuid().safeParse(alert).success
    ? await onConnection(pool, (client) => changeLocked(client, request, change))
    : { refusal: NO_SUCH_ALERT }
  if ('refusal' in found) throw new AlertRefusal(`Alert ${alert} stays as it is: ${found.refusal}.`)
  return found.isNew
}

/** The row, its message to operators and its entry in the audit log, in one transaction. */
async function changeLocked(
  client: PoolClient,
  { alert, profileId, nowMs }: ByHandRequest,
  change: Change,
): Promise<{ refusal: string } | { isNew: boolean }> {
  await client.query('BEGIN')
  const row = await lockAlert(client, alert)
  const isNew = row !== undefined && row.status !== change.status
  const refusal = row ? isNew && change.refusal(row) : NO_SUCH_ALERT
  if (row && isNew && !refusal) {
    const { alertId, organizationId, status } = row
    await change.write(client, { alertId, profileId, nowMs })
    await queueAlertTransitions(client, [{ alertId, transition: change.status }], nowMs)
    await appendAuditEvents(drizzle(client), organizationId, [
      {
        actorProfileId: profileId,
        actor: 'operator',
        action: `alert_${change.status}`,
        entityType: 'alert',
        entityId: alertId,
        oldValues: { status },
        newValues: { status: change.status },
        occurredAt: new Date(nowMs),
      },
    ])
  }
  await client.query('COMMIT')
  return refusal ? { refusal } : { isNew }
}
