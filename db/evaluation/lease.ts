import type { ClientBase, Pool } from 'pg'
import { queryWithLimit } from '../limited-query.ts'

export interface Lease {
  name: string
  /** Who asks; unique to the process. */
  holder: string
  forMs: number
}

/** Takes the lease, or makes it longer; false while somebody else has it. By the database's clock. */
export async function takeLease(pool: Pool, { name, holder, forMs }: Lease): Promise<boolean> {
  const result = await queryWithLimit(
    pool,
    `INSERT INTO pipeline.leases (name, holder, expires_at) VALUES ($1, $2, now() + $3 * interval '1 ms')
     ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, expires_at = excluded.expires_at
     WHERE leases.holder = excluded.holder OR leases.expires_at < now()`,
    [name, holder, forMs],
  )
  return result.rowCount === 1
}

/**
 * Makes the lease longer within a transaction; false when somebody else has it by now. Until the transaction ends nobody
 * can take it, so what is written in it is written by its holder.
 */
export async function keepLease(client: ClientBase, { name, holder, forMs }: Lease): Promise<boolean> {
  const result = await client.query(
    `UPDATE pipeline.leases SET expires_at = now() + $3 * interval '1 ms' WHERE name = $1 AND holder = $2`,
    [name, holder, forMs],
  )
  return result.rowCount === 1
}

/** Lets the next one have it at once. */
export async function releaseLease(pool: Pool, { name, holder }: Omit<Lease, 'forMs'>): Promise<void> {
  await queryWithLimit(pool, 'DELETE FROM pipeline.leases WHERE name = $1 AND holder = $2', [name, holder])
}
