import type { Principal } from '../broker/types.ts'
import { NO_ORGANIZATION } from '../db/registry.ts'
import { principalOf, type Registry } from './registry.ts'

/**
 * Somebody whom another broker has let in, and who is not among the log-ins that were last loaded. The database is asked
 * before anything of theirs is rejected, as `unknown_device`: they may have been added a moment ago.
 */
export function strangerOf(username: string): Principal {
  const isDevice = username.startsWith('device:')
  return {
    kind: isDevice ? 'device' : 'hub',
    name: isDevice ? username.slice('device:'.length) : username,
    username,
    organizationId: NO_ORGANIZATION,
    id: 0,
    credentialHash: '',
  }
}

export function isStranger({ organizationId }: Principal): boolean {
  return organizationId === NO_ORGANIZATION
}

/** Who a stranger is, asked of the database; one that it does not know either stays one. Rejects while it is away. */
export async function lookUpStranger(
  stranger: Principal,
  registry: Pick<Registry, 'lookUpLogIn'>,
): Promise<Principal> {
  const record = await registry.lookUpLogIn(stranger.username)
  // The name stands in a topic: one like a network server's must not make it one.
  return record?.kind === stranger.kind ? principalOf(record) : stranger
}
