import { expect, test } from 'vitest'
import type { Arrival } from '../broker/types.ts'
import { chirpStackUp, DEV_EUI, NETWORK_AT_MS, RECEIVED_AT_MS } from './decode/lora/testing/uplinks.ts'
import type { Frame } from './decode/lora/uplink-items.ts'
import { draftMessage } from './draft.ts'
import { testArrival } from './testing/messages.ts'

test('a frame of an uplink is that of the organization whose network server has published it', () => {
  const principal: Arrival['principal'] = {
    kind: 'network_server',
    name: 'chirpstack-1',
    username: 'ns:chirpstack-1',
    id: 3,
    organizationId: 7,
    credentialHash: 'hash',
  }
  const event = chirpStackUp({ bytes: '0367', fPort: 85, fCnt: 9, decoded: { temperature: 4 } })
  const arrival = testArrival(principal, 'readings', event, {
    route: { kind: 'chirpstack', devEui: DEV_EUI, event: 'up' },
    receivedAt: RECEIVED_AT_MS,
  })
  const frames: Frame[] = []
  const timeOfFrame = (frame: Frame) => {
    frames.push(frame)
    return NETWORK_AT_MS - 2_000
  }
  const { readings } = draftMessage(arrival, () => {}, timeOfFrame)
  expect(frames).toMatchObject([{ organizationId: 7, devEui: DEV_EUI, fCnt: 9 }])
  expect(readings).toMatchObject([{ atMs: NETWORK_AT_MS - 2_000, temperature: 4 }])
})
