import type { ClientBase } from 'pg'
import { epochMs } from './instants.ts'

export interface HubState {
  hubId: number
  organizationId: number
  isOnline: boolean
  /** Deleted, with an alert that has still to end. */
  isGone: boolean
  /** Since when, epoch milliseconds; null = nothing was ever heard of it. */
  sinceMs: number | null
}

/** Which hubs are connected, and which are not. */
export async function readHubStates(client: ClientBase): Promise<HubState[]> {
  const { rows } = await client.query<HubState>(
    `SELECT id AS "hubId", organization_id AS "organizationId", is_online AS "isOnline", deleted_at IS NOT NULL AS "isGone",
       ${epochMs('status_at')} AS "sinceMs"
     FROM public.hubs
     WHERE deleted_at IS NULL OR id IN (
       SELECT hub_id FROM public.alerts
       WHERE status IN ('active', 'acknowledged', 'escalated') AND unit_id IS NULL AND device_id IS NULL)`,
  )
  return rows
}
