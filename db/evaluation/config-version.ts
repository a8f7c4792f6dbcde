import type { ClientBase } from 'pg'

/** Grows with every change of rules, units, devices, places and calibrations that the evaluator has to know. */
export async function configVersion(pool: Pick<ClientBase, 'query'>): Promise<bigint> {
  const { rows } = await pool.query<{ config_version: string }>(
    'SELECT config_version FROM pipeline.registry_version WHERE id = 1',
  )
  const version = rows[0]?.config_version
  if (version === undefined)
    throw new Error('pipeline.registry_version has no row: the migrations have put it there')
  return BigInt(version)
}
