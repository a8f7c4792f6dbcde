import { afterEach, describe, expect, test } from 'vitest'
import { closeAll, holding, logInRaw, publishPacket, startBroker, until } from './testing.ts'

afterEach(closeAll)

describe('last wills', () => {
  const will = {
    topic: 'v1/hubs/hub-1/status',
    payload: Buffer.from('{"state":"offline"}'),
    qos: 1 as const,
    retain: true,
  }

  test('reach accept when the connection is lost, before presence is told', async () => {
    const order: string[] = []
    const { broker, addresses, arrivals } = await startBroker({
      accept: (_arrival, done) => {
        order.push('will')
        done()
      },
      presence: { connected: () => {}, disconnected: () => order.push('gone') },
    })
    const client = await logInRaw(addresses.mqtt.port, { will })
    await client.close()
    await until(() => order.length === 2, 'both were told')
    expect(order).toEqual(['will', 'gone'])
    expect(arrivals[0]).toMatchObject({
      topic: will.topic,
      route: { kind: 'hub', hub: 'hub-1', channel: 'status' },
      payload: will.payload,
      isWill: true,
      clientId: 'client',
      principal: { username: 'hub-1' },
    })
    expect(broker.counters).toMatchObject({ willsAccepted: 1, retainFlagsIgnored: 1 })
  })

  test('are not sent after DISCONNECT', async () => {
    const { broker, addresses, arrivals } = await startBroker()
    const client = await logInRaw(addresses.mqtt.port, { will })
    client.send({ cmd: 'disconnect' })
    await client.untilClosed()
    await until(() => broker.connectedHubs() === 0, 'it is gone')
    expect(arrivals).toEqual([])
  })

  test('of clients whose keepalive ran out are sent', async () => {
    const { broker, addresses, arrivals } = await startBroker()
    const client = await logInRaw(addresses.mqtt.port, { will, keepalive: 1 })
    await client.untilClosed()
    await until(() => arrivals.length === 1, 'the will arrived')
    expect(broker.counters).toMatchObject({ keepaliveTimeouts: 1, connectionErrors: 0 })
  })
})

describe('stopping', () => {
  test('what is held is still acknowledged, nothing new is taken, no will is sent', async () => {
    const { held, accept } = holding()
    const { broker, addresses, arrivals } = await startBroker({ accept })
    const will = { topic: 'v1/hubs/hub-1/status', payload: Buffer.from('{}'), qos: 1 as const, retain: false }
    const client = await logInRaw(addresses.mqtt.port, { will })
    client.send(publishPacket({ messageId: 1 }))
    await until(() => held.length === 1, 'it arrived')
    const heldBytes = broker.heldBytes()
    broker.stopIntake()
    client.send(publishPacket({ messageId: 2 }))
    await until(() => broker.counters.messagesAfterStop === 1, 'the second came too late')
    expect(broker.heldBytes()).toBe(heldBytes)
    held[0]?.()
    expect((await client.next('puback')).messageId).toBe(1)
    await broker.close()
    await client.untilClosed()
    expect(client.all('puback').length).toBe(1)
    expect(arrivals.length).toBe(1)
    expect(broker.openConnections()).toBe(0)
  })

  test('it can be closed twice, with idle and half-open sockets', async () => {
    const { broker, addresses } = await startBroker()
    const client = await logInRaw(addresses.mqtt.port)
    client.stream.pause()
    await Promise.all([broker.close(), broker.close()])
    await expect(logInRaw(addresses.mqtt.port)).rejects.toThrow()
    await expect(
      broker.publish({ topic: 'v1/hubs/hub-1/commands', payload: 'x', qos: 1, retain: false }),
    ).rejects.toThrow('closed')
  })
})
