import type { Principal } from '../../broker/types.ts'
import { normalizeDevEui } from '../../db/device-eui.ts'
import { principalOf, type Registry } from '../registry.ts'
import type { SourceConfig } from './source-file.ts'

type LogIns = Pick<Registry, 'logIn' | 'lookUpLogIn'>

/** An organization that does not exist: nothing that a stranger says is stored, its readings are `unknown_device`. */
const NO_ORGANIZATION = 0

/** The username that a message of this source counts for: its network server's, or that of the topic's hub or device. */
export function usernameOf({ networkServer }: SourceConfig, topic: string): string | undefined {
  if (networkServer !== undefined) return `ns:${networkServer}`
  const [version, kind, name] = topic.split('/', 3)
  if (version !== 'v1' || !name) return undefined
  if (kind === 'hubs') return name
  const devEui = kind === 'devices' ? normalizeDevEui(name) : null
  return devEui === null ? undefined : `device:${devEui}`
}

/** Who speaks under this username, as last loaded. */
export function knownSpeaker(username: string, registry: LogIns): Principal | undefined {
  const record = registry.logIn(username)
  return record && principalOf(record)
}

/**
 * The same, asked of the database; one that it does not know either is a stranger. Rejects while the database is away:
 * the speaker may be new.
 */
export async function lookUpSpeaker(username: string, registry: LogIns): Promise<Principal> {
  const record = await registry.lookUpLogIn(username)
  return record ? principalOf(record) : strangerOf(username)
}

/** Somebody whom the other broker let in and our fleet does not know: its messages are kept as rejected. */
function strangerOf(username: string): Principal {
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
