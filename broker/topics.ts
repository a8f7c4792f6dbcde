import { isWellFormed } from './strings.ts'
import type { DeviceChannel, HubChannel, Principal, Route } from './types.ts'

const HUB_CHANNELS: ReadonlySet<string> = new Set<HubChannel>(['readings', 'doors', 'status'])
const DEVICE_CHANNELS: ReadonlySet<string> = new Set<DeviceChannel>(['readings', 'doors'])
/** Topics of ChirpStack v4's MQTT integration: https://www.chirpstack.io/docs/chirpstack/integrations/mqtt.html */
const CHIRPSTACK_EVENTS: ReadonlySet<string> = new Set([
  'up',
  'join',
  'status',
  'ack',
  'txack',
  'log',
  'location',
  'integration',
])
/** Topics of The Things Stack v3: https://www.thethingsindustries.com/docs/integrations/other-integrations/mqtt/ */
const THINGS_STACK_EVENTS: ReadonlySet<string> = new Set([
  'up',
  'join',
  'down/queued',
  'down/sent',
  'down/ack',
  'down/nack',
  'down/failed',
  'service/data',
  'location/solved',
])
/** What a hub may subscribe to below `v1/hubs/{hub}/`; the wildcards match topics of that hub only. */
const HUB_FILTERS: ReadonlySet<string> = new Set(['rejected', 'receipt', 'commands', '+', '#'])

const DEV_EUI = /^[0-9a-f]{16}$/i

/** What a data topic means, or undefined when it is none. */
export function parseRoute(topic: string): Route | undefined {
  const levels = topic.split('/')
  switch (levels[0]) {
    case 'v1':
      return parseOwn(levels)
    case 'application':
      return parseChirpStack(levels)
    case 'v3':
      return parseThingsStack(levels)
    default:
      return undefined
  }
}

function parseOwn(levels: string[]): Route | undefined {
  const [, kind, name, channel] = levels
  if (levels.length !== 4 || !name || !channel) return undefined
  if (kind === 'hubs' && HUB_CHANNELS.has(channel)) {
    return { kind: 'hub', hub: name, channel: channel as HubChannel }
  }
  if (kind === 'devices' && DEVICE_CHANNELS.has(channel) && DEV_EUI.test(name)) {
    return { kind: 'device', devEui: name.toLowerCase(), channel: channel as DeviceChannel }
  }
  return undefined
}

/** `application/{id}/device/{devEui}/event/{event}` */
function parseChirpStack(levels: string[]): Route | undefined {
  const [, application, device, devEui, events, event] = levels
  if (levels.length !== 6 || !application || device !== 'device' || events !== 'event') return undefined
  if (!devEui || !event || !DEV_EUI.test(devEui) || !CHIRPSTACK_EVENTS.has(event)) return undefined
  return { kind: 'chirpstack', devEui: devEui.toLowerCase(), event }
}

/** `v3/{application}@{tenant}/devices/{id}/{event}`; an open source installation has no tenant. */
function parseThingsStack(levels: string[]): Route | undefined {
  const [, application, devices, deviceId, ...rest] = levels
  const event = rest.join('/')
  if (!application || devices !== 'devices' || !deviceId || !THINGS_STACK_EVENTS.has(event)) return undefined
  return { kind: 'things_stack', deviceId, event }
}

/** What a publish of this client to this topic means, or undefined when it may not publish there. */
export function publishRoute(principal: Principal, topic: string): Route | undefined {
  const route = parseRoute(topic)
  if (!route || !mayPublish(principal, route) || !isWellFormed(topic)) return undefined
  return route
}

function mayPublish(principal: Principal, route: Route): boolean {
  switch (principal.kind) {
    case 'hub':
      return route.kind === 'hub' && route.hub === principal.name
    case 'device':
      return route.kind === 'device' && route.devEui === principal.name
    case 'network_server':
      return route.kind === 'chirpstack' || route.kind === 'things_stack'
    case 'operator':
      return false
  }
}

/**
 * Whether this client may subscribe to this filter: a hub to what is addressed to it, an operator to everything
 * below its organization, devices and network servers to nothing. The first three levels are always literal, so
 * that no wildcard reaches a topic of somebody else or `$SYS`.
 */
export function maySubscribe(principal: Principal, filter: string): boolean {
  const [version, kind, name] = filter.split('/', 3)
  const rest = filter.slice(`${version}/${kind}/${name}/`.length)
  if (version !== 'v1' || name !== principal.name || rest === '') return false
  if (principal.kind === 'hub') return kind === 'hubs' && HUB_FILTERS.has(rest)
  if (principal.kind === 'operator') return kind === 'orgs' && isWellFormed(rest)
  return false
}
