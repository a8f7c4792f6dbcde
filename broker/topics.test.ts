import { describe, expect, test } from 'vitest'
import { principalOf } from './testing.ts'
import { maySubscribe, parseRoute, publishRoute } from './topics.ts'

const EUI = '24e124136b502f4a'

describe('data topics', () => {
  test.each([
    ['v1/hubs/hub-1/readings', { kind: 'hub', hub: 'hub-1', channel: 'readings' }],
    ['v1/hubs/hub-1/doors', { kind: 'hub', hub: 'hub-1', channel: 'doors' }],
    ['v1/hubs/hub-1/status', { kind: 'hub', hub: 'hub-1', channel: 'status' }],
    [`v1/devices/${EUI.toUpperCase()}/readings`, { kind: 'device', devEui: EUI, channel: 'readings' }],
    [`v1/devices/${EUI}/doors`, { kind: 'device', devEui: EUI, channel: 'doors' }],
    [`application/4/device/${EUI}/event/up`, { kind: 'chirpstack', devEui: EUI, event: 'up' }],
    [`application/4/device/${EUI}/event/join`, { kind: 'chirpstack', devEui: EUI, event: 'join' }],
    [`application/4/device/${EUI}/event/status`, { kind: 'chirpstack', devEui: EUI, event: 'status' }],
    ['v3/app@ttn/devices/dev-1/up', { kind: 'things_stack', deviceId: 'dev-1', event: 'up' }],
    ['v3/app/devices/dev-1/join', { kind: 'things_stack', deviceId: 'dev-1', event: 'join' }],
  ])('%s', (topic, route) => {
    expect(parseRoute(topic)).toEqual(route)
  })

  test.each(['ack', 'txack', 'log', 'location', 'integration'])(
    'the other event of ChirpStack: %s',
    (event) => {
      const topic = `application/4/device/${EUI}/event/${event}`
      expect(parseRoute(topic)).toEqual({ kind: 'chirpstack', devEui: EUI, event })
    },
  )

  test.each([
    'down/queued',
    'down/sent',
    'down/ack',
    'down/nack',
    'down/failed',
    'service/data',
    'location/solved',
  ])('the other event of The Things Stack: %s', (event) => {
    const topic = `v3/app@ttn/devices/dev-1/${event}`
    expect(parseRoute(topic)).toEqual({ kind: 'things_stack', deviceId: 'dev-1', event })
  })

  test.each([
    '',
    '/',
    'v1',
    'v1/hubs/hub-1',
    'v1/hubs//readings',
    'v1/hubs/hub-1/readings/',
    'v1/hubs/hub-1/readings/x',
    '/v1/hubs/hub-1/readings',
    'v1/hubs/hub-1/rejected',
    'v1/hubs/hub-1/receipt',
    'v1/hubs/hub-1/constructor',
    'v1/__proto__/hub-1/readings',
    'v2/hubs/hub-1/readings',
    `v1/devices/${EUI}/status`,
    'v1/devices/24-e1-24-13-6b-50-2f-4a/readings',
    'v1/devices/hub-1/readings',
    'v1/orgs/demo/alerts',
    `application/4/device/${EUI}/event/acks`,
    `application/4/device/${EUI}/event/up/x`,
    'v3/app@ttn/devices/dev-1/down',
    'v3/app@ttn/devices/dev-1/up/x',
    `application/4/device/${EUI}/command/down`,
    `application//device/${EUI}/event/up`,
    'application/4/device/nonsense/event/up',
    'v3/app@ttn/devices/dev-1/down/push',
    'v3/app@ttn/devices//up',
    '$SYS/x/new/clients',
    `${'a/'.repeat(99)}a`,
  ])('%s is none', (topic) => {
    expect(parseRoute(topic)).toBeUndefined()
  })
})

describe('who may publish where', () => {
  const topics = {
    hub: 'v1/hubs/hub-1/readings',
    device: `v1/devices/${EUI.toUpperCase()}/readings`,
    chirpstack: `application/4/device/${EUI}/event/up`,
    thingsStack: 'v3/app@ttn/devices/dev-1/up',
    alerts: 'v1/orgs/demo/alerts',
  }
  test.each([
    ['hub-1', ['hub']],
    ['hub-2', []],
    [`device:${EUI}`, ['device']],
    ['device:0000000000000000', []],
    ['ns:chirpstack-1', ['chirpstack', 'thingsStack']],
    ['operator:demo', []],
  ])('%s: %s', (username, allowed) => {
    const found = Object.entries(topics).filter(([, topic]) => publishRoute(principalOf(username), topic))
    expect(found.map(([name]) => name)).toEqual(allowed)
  })

  test.each([
    ['a NUL', 'v3/app/devices/d\u0000/up'],
    ['a control character', 'v3/app/devices/d\u0001/up'],
    ['a C1 control character', 'v3/app/devices/d\u0085/up'],
    ['bytes that were not UTF-8', 'v3/app/devices/d\ufffd/up'],
  ])('%s in a topic', (_what, topic) => {
    expect(publishRoute(principalOf('ns:x'), topic)).toBeUndefined()
  })
})

describe('who may subscribe to what', () => {
  test.each([
    ['hub-1', ['rejected', 'receipt', 'commands', '+', '#'].map((rest) => `v1/hubs/hub-1/${rest}`)],
    [
      'operator:demo',
      ['alerts', 'units/x', 'units/+', '+', '#', 'units/#'].map((rest) => `v1/orgs/demo/${rest}`),
    ],
  ])('%s may: %s', (username, filters) => {
    for (const filter of filters)
      expect([filter, maySubscribe(principalOf(username), filter)]).toEqual([filter, true])
  })

  const others = [
    '#',
    '+',
    '+/+/+/+',
    '$SYS/#',
    '$share/x/v1/hubs/hub-1/commands',
    'v1/#',
    'v1/hubs/#',
    'v1/hubs/+/commands',
    'v1/hubs/hub-1',
    'v1/hubs/hub-1/',
    'v1/hubs/hub-1/readings',
    'v1/hubs/hub-1/+/x',
    'v1/hubs/hub-2/commands',
    'v1/hubs/hub-11/commands',
    'v1/hubs/__proto__/commands',
    'v1/orgs/#',
    'v1/orgs/+/alerts',
    'v1/orgs/demo',
    'v1/orgs/demo/',
    'v1/orgs/demo2/alerts',
    'v1/orgs/demo/a\u0000',
    `v1/devices/${EUI}/#`,
    `v1/devices/${EUI}/commands`,
    `application/4/device/${EUI}/event/up`,
    'v3/app@ttn/devices/dev-1/up',
  ]
  test.each(['hub-1', 'operator:demo', `device:${EUI}`, 'ns:chirpstack-1'])('%s may not', (username) => {
    expect(others.filter((filter) => maySubscribe(principalOf(username), filter))).toEqual([])
  })

  test('a hub named like an organization does not read it', () => {
    expect(maySubscribe(principalOf('demo'), 'v1/orgs/demo/alerts')).toBe(false)
    expect(maySubscribe(principalOf('operator:hub-1'), 'v1/hubs/hub-1/commands')).toBe(false)
  })
})
