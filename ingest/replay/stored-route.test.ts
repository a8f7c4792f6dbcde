import { expect, test } from 'vitest'
import { parseRoute } from '../../broker/topics.ts'
import { storedRoute } from './stored-route.ts'

test.each([
  'v1/hubs/hub-1/readings',
  'v1/hubs/hub-1/doors',
  'v1/hubs/hub-1/status',
  'v1/devices/24E124136B502F4A/readings',
  'v1/devices/24e124136b502f4a/doors',
  'application/a b/device/24E124136B502F4A/event/up',
  'application/1/device/24e124136b502f4a/event/join',
  'v3/app@tenant/devices/dev-1/up',
  'v3/app/devices/dev-1/join',
])('%s means what the broker took it for', (topic) => {
  const route = parseRoute(topic)
  expect(route).toBeDefined()
  expect(storedRoute(topic)).toEqual(route)
})
