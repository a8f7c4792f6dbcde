import { ownDevice } from './hub/message.ts'
import { LORA_FORMATS, type LoraFormat } from './lora/uplink.ts'
import type { FleetPlan, PublisherName } from './types.ts'

const NAMES_SHOWN_MAX = 3
const NETWORK_SERVER_PREFIX = 'ns:'

/** Everything of a fleet that logs in: its hubs, its network servers, and its devices with a connection of their own. */
export function publishersOf(fleet: FleetPlan): PublisherName[] {
  const devices = fleet.units.flatMap((unit) => unit.devices)
  const alone = devices.filter(({ hub }) => hub === undefined).map(({ devEui }) => `device:${devEui}`)
  return [...fleet.hubs, ...networkServersOf(fleet), ...alone]
}

/** The publishers that are network servers with sensors, in the order in which the fleet names them. */
function networkServersOf({ units }: FleetPlan): PublisherName[] {
  const publishers = units.flatMap((unit) => unit.devices.flatMap(({ hub }) => hub ?? []))
  return [...new Set(publishers.filter(isNetworkServer))]
}

export function isNetworkServer(publisher: PublisherName): boolean {
  return publisher.startsWith(NETWORK_SERVER_PREFIX)
}

/** Whether a publisher is a hub, which says of itself how it is and is answered. */
export function isHub(publisher: PublisherName): boolean {
  return !isNetworkServer(publisher) && ownDevice(publisher) === undefined
}

/** What a network server of the fleet speaks; with `both`, the first speaks the one, the second the other, and so on. */
export function loraFormatOf(
  fleet: FleetPlan,
  publisher: PublisherName,
  choice: LoraFormat | 'both',
): LoraFormat | undefined {
  if (!isNetworkServer(publisher)) return undefined
  if (choice !== 'both') return choice
  return LORA_FORMATS[networkServersOf(fleet).indexOf(publisher) % LORA_FORMATS.length]
}

/** DevEUIs of a fleet. */
export function devicesOf(fleet: FleetPlan): string[] {
  return fleet.units.flatMap((unit) => unit.devices.map(({ devEui }) => devEui))
}

/** Those that have no secret. */
export function withoutSecret(
  publishers: readonly PublisherName[],
  secrets: ReadonlyMap<PublisherName, string>,
): PublisherName[] {
  return publishers.filter((publisher) => !secrets.has(publisher))
}

/** Throws a sentence that names the first publishers without a secret. */
export function requireSecrets(
  publishers: readonly PublisherName[],
  secrets: ReadonlyMap<PublisherName, string>,
): void {
  const missing = withoutSecret(publishers, secrets)
  if (missing.length === 0) return
  const shown = missing.slice(0, NAMES_SHOWN_MAX).join(', ')
  const more = missing.length > NAMES_SHOWN_MAX ? ` and ${missing.length - NAMES_SHOWN_MAX} more` : ''
  throw new Error(
    `The credentials file has no secret for ${shown}${more}. Expected is the file that fleet:apply has written for ` +
      'this fleet; a lost secret is made anew with --rotate.',
  )
}
