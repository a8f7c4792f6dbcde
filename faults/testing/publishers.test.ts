import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import { until } from '../../db/testing/poll.ts'
import { type Ledger, startPublishers } from './publishers.ts'

const RECONNECTS_MS = 300

test('publishers that are broken off publish no more, and do not connect again', async () => {
  let connections = 0
  const server = createServer((socket) => {
    connections += 1
    socket.destroy()
  }).listen(0, '127.0.0.1')
  onTestFinished(() => void server.close())
  await once(server, 'listening')
  const ledger: Ledger = { attempted: new Set(), acknowledged: new Set() }
  const publishers = startPublishers({
    fleet: {
      organizationId: 1,
      siteId: 1,
      unitId: 1,
      hubs: [{ id: 1, key: 'hub-1' }],
      devices: [{ id: 1, devEui: 'a000000000000001' }],
    },
    port: () => (server.address() as AddressInfo).port,
    readingsPerMessage: 1,
    everyMs: 5,
    ledger,
  })
  await until('they connect again and again', () => connections > 3 && ledger.attempted.size > 3)
  publishers.breakOff()
  const before = [ledger.attempted.size, connections]
  await sleep(RECONNECTS_MS)
  expect([ledger.attempted.size, connections]).toEqual(before)
  expect(ledger.acknowledged.size).toBe(0)
})
