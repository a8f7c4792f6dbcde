import type { FleetPlan, PublisherName } from './types.ts'

const NAMES_SHOWN_MAX = 3

/** Everything of a fleet that logs in: its hubs, and its devices with a connection of their own. */
export function publishersOf(fleet: FleetPlan): PublisherName[] {
  const devices = fleet.units.flatMap((unit) => unit.devices)
  const alone = devices.filter(({ hub }) => hub === undefined).map(({ devEui }) => `device:${devEui}`)
  return [...fleet.hubs, ...alone]
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
