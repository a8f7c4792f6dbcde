import { sql } from 'drizzle-orm'
import type { Transaction } from '../client.ts'
import { operatorCredentials } from '../schema/index.ts'
import { updateRows } from './bulk.ts'
import type { Change } from './changes.ts'
import { KINDS, type Kind, keyOf } from './kinds.ts'
import type { LogIn } from './log-ins.ts'
import type { FleetState } from './state.ts'
import type { Ids } from './wanted.ts'

export interface SecretChanges {
  made: readonly { logIn: LogIn; hash: string }[]
  /** Rows that are removed lose theirs with the removal; here are those that stay. */
  revoked: readonly LogIn[]
}

/** What happened to the secret of a row. */
export type SecretOutcome = Required<Pick<Change, 'kind' | 'id' | 'secret'>>

/** Stores hashes and takes away those that are revoked. `state` is that before the change. */
export async function writeSecrets(
  tx: Transaction,
  { made, revoked }: SecretChanges,
  { ids, state }: { ids: Ids; state: FleetState },
): Promise<SecretOutcome[]> {
  const outcomes: SecretOutcome[] = []
  for (const name of ['hub', 'device', 'network_server'] as const) {
    const kind: Kind = KINDS[name]
    const idOf = (logIn: LogIn) => ids[name].get(keyOf(kind, { [kind.label]: logIn.name }))
    const before = new Set(state.rows[name].filter((row) => row.live && row.hasSecret).map((row) => row.id))
    const rows = [
      ...made.map(({ logIn, hash }) => ({ logIn, hash })),
      ...revoked.map((logIn) => ({ logIn, hash: null })),
    ].flatMap(({ logIn, hash }) => {
      const id = logIn.kind === name ? idOf(logIn) : undefined
      return id === undefined ? [] : [{ id, credentialHash: hash }]
    })
    await updateRows(tx, kind, rows)
    outcomes.push(
      ...rows.map(({ id, credentialHash }) => ({
        kind: name,
        id,
        secret: secretChange(credentialHash, before.has(id)),
      })),
    )
  }
  return outcomes
}

function secretChange(hash: string | null, hadOne: boolean): SecretOutcome['secret'] {
  if (hash === null) return 'removed'
  return hadOne ? 'replaced' : 'made'
}

/** The secret of an organization's operators has a table of its own. */
export async function writeOperatorSecret(
  tx: Transaction,
  organizationId: number,
  hash: string,
): Promise<void> {
  await tx
    .insert(operatorCredentials)
    .values({ organizationId, credentialHash: hash })
    .onConflictDoUpdate({
      target: operatorCredentials.organizationId,
      set: { credentialHash: sql`excluded.credential_hash` },
    })
}
