import type { ClientBase } from 'pg'

/** The hubs that are connected by now. */
export async function connectedHubs(client: ClientBase): Promise<Set<number>> {
  const { rows } = await client.query<{ id: number }>(
    'SELECT id FROM public.hubs WHERE is_online AND deleted_at IS NULL',
  )
  return new Set(rows.map(({ id }) => id))
}
