import type { FlatFleet } from './flatten.ts'
import type { Issue } from './fleet-error.ts'
import { KINDS } from './kinds.ts'
import type { FleetState } from './state.ts'

/** Somebody with a secret: a hub, a device that connects by itself, a network server or the organization's operators. */
export interface LogIn {
  kind: 'hub' | 'device' | 'network_server' | 'operator'
  /** Hub key, DevEUI, network server key; for the operators the organization's slug. */
  name: string
}

const PREFIXES = { 'hub:': 'hub', 'device:': 'device', 'ns:': 'network_server' } as const

/** One text for each, to compare by. */
const logInId = ({ kind, name }: LogIn) => `${kind} ${name}`

/** As it logs in over MQTT. */
export function usernameOf({ kind, name }: LogIn): string {
  const prefix = { hub: '', device: 'device:', network_server: 'ns:', operator: 'operator:' }[kind]
  return `${prefix}${name}`
}

function parseLogIn(text: string, slug: string): LogIn {
  if (text === 'operator') return { kind: 'operator', name: slug }
  for (const [prefix, kind] of Object.entries(PREFIXES)) {
    if (!text.startsWith(prefix)) continue
    const name = text.slice(prefix.length)
    return { kind, name: kind === 'device' ? name.replaceAll(/[:-]/g, '').toLowerCase() : name }
  }
  return { kind: 'hub', name: text }
}

/** Everybody whom the file gives a secret. */
function fileLogIns(flat: FlatFleet): LogIn[] {
  return [
    ...flat.hubs.map(({ hub }): LogIn => ({ kind: 'hub', name: hub.key })),
    ...flat.devices
      .filter(({ device }) => device.connects)
      .map(({ device }): LogIn => ({ kind: 'device', name: device.device_eui })),
    ...flat.networkServers.map(({ server }): LogIn => ({ kind: 'network_server', name: server.key })),
    { kind: 'operator', name: flat.organization.slug },
  ]
}

/** Everybody who can log in as the database is now. */
function storedLogIns(state: FleetState, slug: string): LogIn[] {
  const stored = (['hub', 'device', 'network_server'] as const).flatMap((kind) =>
    state.rows[kind]
      .filter((row) => row.live && row.hasSecret)
      .map((row): LogIn => ({ kind, name: String(row.values[KINDS[kind].label]) })),
  )
  return state.operatorHasSecret ? [...stored, { kind: 'operator', name: slug }] : stored
}

export interface LogInPlan {
  /** Whoever gets a new secret. */
  renewed: readonly LogIn[]
  /** Whoever can log in now and will not any more. */
  revoked: readonly LogIn[]
  issues: readonly Issue[]
}

/**
 * Who gets a secret: whoever has none yet, and whom `rotate` names: a hub's key (also with `hub:` before it),
 * `device:<DevEUI>`, `ns:<key>` or `operator`. Who loses it: what is removed, and a device that no longer connects.
 */
export function planLogIns(
  flat: FlatFleet,
  state: FleetState,
  options: { prune: boolean; rotate: readonly string[] },
): LogInPlan {
  const { slug } = flat.organization
  const wanted = fileLogIns(flat)
  const stored = storedLogIns(state, slug)
  const inFile = new Set([
    ...wanted.map(logInId),
    ...flat.devices.map(({ device }) => deviceId(device.device_eui)),
  ])
  const wantedIds = new Set(wanted.map(logInId))
  const storedIds = new Set(stored.map(logInId))
  // Who is not in the file keeps the secret, unless everything that is not in the file goes.
  const kept = options.prune ? [] : stored.filter((logIn) => !inFile.has(logInId(logIn)))
  const known = new Map([...wanted, ...kept].map((logIn) => [logInId(logIn), logIn]))
  const asked = options.rotate.map((text) => ({ text, logIn: parseLogIn(text, slug) }))
  const rotated = new Set(asked.map(({ logIn }) => logInId(logIn)))
  return {
    renewed: [...known.values()].filter(
      (logIn) => rotated.has(logInId(logIn)) || !storedIds.has(logInId(logIn)),
    ),
    revoked: stored.filter((logIn) => !wantedIds.has(logInId(logIn)) && !known.has(logInId(logIn))),
    issues: asked
      .filter(({ logIn }) => !known.has(logInId(logIn)))
      .map(({ text }) => ({ path: `--rotate ${text}`, message: unknownLogIn(slug) })),
  }
}

const deviceId = (name: string) => logInId({ kind: 'device', name })

const unknownLogIn = (slug: string) =>
  `nobody of organization "${slug}" has a secret under this name; expected the key of a hub, ` +
  'device:<DevEUI> of a device with "connects": true, ns:<key> or operator'
