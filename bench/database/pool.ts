import { Pool } from 'pg'

/**
 * One connection. When it breaks (after Ctrl-C the databases are removed under it), its query fails, and that is
 * enough: without listeners the error would end the process before it has cleaned up.
 */
export function openPool(url: string): Pool {
  const pool = new Pool({ connectionString: url, max: 1, application_name: 'frostguard bench' })
  pool.on('error', () => {})
  pool.on('connect', (client) => client.on('error', () => {}))
  return pool
}
