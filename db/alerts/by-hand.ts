import type { ClientBase } from 'pg'
import type { alertStatus } from '../schema/index.ts'

/** What decides whether a person may change an alert. */
export interface AlertToChange {
  alertId: number
  organizationId: number
  status: (typeof alertStatus.enumValues)[number]
  /** Whether what it warns of is still so, as far as the newest readings say. */
  holds: boolean
}

/**
 * The alert with this public id, locked until the transaction ends; undefined where there is none. A condition of readings
 * holds while one of its episodes runs and the newest reading in it is not good; any other holds as long as its alert is open.
 */
export async function lockAlert(client: ClientBase, publicId: string): Promise<AlertToChange | undefined> {
  const { rows } = await client.query<AlertToChange>(
    `SELECT a.id AS "alertId", a.organization_id AS "organizationId", a.status,
       a.condition_type IN ('no_data', 'door_open', 'manual_log_overdue', 'calibration_due') OR EXISTS (
         SELECT FROM pipeline.rule_episodes e
         WHERE e.unit_id = a.unit_id AND e.condition_type = a.condition_type AND e.rule_id IS NOT DISTINCT FROM a.rule_id
           AND e.device_id = coalesce(a.device_id, e.device_id) AND e.ended_at IS NULL AND NOT e.newest_is_good
       ) AS holds
     FROM public.alerts a WHERE a.public_id = $1 FOR UPDATE`,
    [publicId],
  )
  return rows[0]
}

export interface ByHand {
  alertId: number
  /** Of the person; null = not known. */
  profileId: number | null
  nowMs: number
}

export async function writeAcknowledged(
  client: ClientBase,
  { alertId, profileId, nowMs }: ByHand,
): Promise<void> {
  await client.query(
    `UPDATE public.alerts SET status = 'acknowledged', acknowledged_at = $2, acknowledged_by = $3 WHERE id = $1`,
    [alertId, new Date(nowMs), profileId],
  )
}

export async function writeResolved(
  client: ClientBase,
  { alertId, profileId, nowMs }: ByHand,
): Promise<void> {
  await client.query(
    `UPDATE public.alerts SET status = 'resolved', resolution = 'by_person', resolved_at = $2, resolved_by = $3
     WHERE id = $1`,
    [alertId, new Date(nowMs), profileId],
  )
}
