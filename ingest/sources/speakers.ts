import type { Principal } from '../../broker/types.ts'
import { normalizeDevEui } from '../../db/device-eui.ts'
import { principalOf, type Registry } from '../registry.ts'
import { strangerOf } from '../strangers.ts'
import type { SourceConfig } from './source-file.ts'

/** The username that a message of this source counts for: its network server's, or that of the topic's hub or device. */
export function usernameOf({ networkServer }: SourceConfig, topic: string): string | undefined {
  if (networkServer !== undefined) return `ns:${networkServer}`
  const [version, kind, name] = topic.split('/', 3)
  if (version !== 'v1' || !name) return undefined
  if (kind === 'hubs') return name
  const devEui = kind === 'devices' ? normalizeDevEui(name) : null
  return devEui === null ? undefined : `device:${devEui}`
}

/** Who speaks under this username, as last loaded; a stranger where nobody is known by it. */
export function speakerOf(username: string, registry: Pick<Registry, 'logIn'>): Principal {
  const record = registry.logIn(username)
  return record ? principalOf(record) : strangerOf(username)
}
