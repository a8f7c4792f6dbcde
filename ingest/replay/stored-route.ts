import type { DeviceChannel, HubChannel, Route } from '../../broker/types.ts'

/**
 * What the topic of a stored message means. The broker has let it pass when it came, so that its levels are known to be
 * right and only need to be read.
 */
export function storedRoute(topic: string): Route {
  const levels = topic.split('/')
  const [root, kind, name = '', channel = '', , event = ''] = levels
  const devEui = (text: string) => text.toLowerCase()
  if (root === 'application') return { kind: 'chirpstack', devEui: devEui(channel), event }
  if (root === 'v3') return { kind: 'things_stack', deviceId: channel, event: levels[4] ?? '' }
  return kind === 'hubs'
    ? { kind: 'hub', hub: name, channel: channel as HubChannel }
    : { kind: 'device', devEui: devEui(name), channel: channel as DeviceChannel }
}
