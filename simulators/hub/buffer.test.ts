import { describe, expect, test } from 'vitest'
import { Random } from '../random.ts'
import { message } from '../testing/messages.ts'
import { randomSeed } from '../testing/rates.ts'
import { MessageBuffer } from './buffer.ts'
import type { Message } from './message.ts'

const named = (name: string) => message({ topic: name })

function filled(names: readonly string[], limits = { messagesMax: 100, inFlightMax: 3 }) {
  const buffer = new MessageBuffer(limits)
  const messages = names.map(named)
  for (const one of messages) buffer.push(one)
  return { buffer, messages }
}

/** The names of what may be sent now. */
function sendAll(buffer: MessageBuffer): string[] {
  const sent: string[] = []
  for (let next = buffer.next(); next; next = buffer.next()) sent.push(next.topic)
  return sent
}

describe('the window', () => {
  test('so many are in flight at most, oldest first, and each acknowledgement lets one more go', () => {
    const { buffer, messages } = filled(['a', 'b', 'c', 'd', 'e'])
    expect(sendAll(buffer)).toEqual(['a', 'b', 'c'])
    expect(buffer.acknowledge(messages[1] as Message)).toBe(true)
    expect(sendAll(buffer)).toEqual(['d'])
    expect(buffer).toMatchObject({ size: 4, inFlight: 3 })
  })

  test('what is not in flight cannot be acknowledged', () => {
    const { buffer, messages } = filled(['a', 'b', 'c', 'd'])
    sendAll(buffer)
    expect(buffer.acknowledge(messages[3] as Message)).toBe(false)
    buffer.acknowledge(messages[0] as Message)
    expect(buffer.acknowledge(messages[0] as Message)).toBe(false)
    buffer.connectionLost()
    expect(buffer.acknowledge(messages[1] as Message)).toBe(false)
    expect(buffer.size).toBe(3)
  })
})

test('after a lost connection the oldest that is not acknowledged comes first, and nothing newer before it', () => {
  const { buffer, messages } = filled(['a', 'b', 'c', 'd'])
  sendAll(buffer)
  buffer.acknowledge(messages[1] as Message)
  expect(buffer.connectionLost()).toBe(2)
  buffer.push(named('e'))
  expect(sendAll(buffer)).toEqual(['a', 'c', 'd'])
})

describe('a full buffer', () => {
  const limits = { messagesMax: 4, inFlightMax: 2 }

  test('drops the oldest while there is no connection', () => {
    const { buffer } = filled(['a', 'b', 'c', 'd'], limits)
    expect(buffer.push(named('e'))?.topic).toBe('a')
    expect(buffer.size).toBe(4)
    expect(sendAll(buffer)).toEqual(['b', 'c'])
  })

  test('drops the oldest that is not in flight while there is one', () => {
    const { buffer, messages } = filled(['a', 'b', 'c', 'd'], limits)
    sendAll(buffer)
    expect(buffer.push(named('e'))?.topic).toBe('c')
    expect(buffer.acknowledge(messages[0] as Message)).toBe(true)
    expect(sendAll(buffer)).toEqual(['d'])
  })

  test('is larger than what may be in flight', () => {
    expect(() => new MessageBuffer({ messagesMax: 2, inFlightMax: 2 })).toThrow('2 messages with 2 in flight')
  })
})

test('clearing it gives back everything', () => {
  const { buffer } = filled(['a', 'b', 'c', 'd'])
  sendAll(buffer)
  expect(buffer.clear().map(({ topic }) => topic)).toEqual(['a', 'b', 'c', 'd'])
  expect(buffer).toMatchObject({ size: 0, inFlight: 0 })
})

const seed = randomSeed()
test(`whatever happens, the first sending of each message is in order and none is lost (seed ${seed})`, () => {
  const random = new Random(seed, 'buffer')
  const buffer = new MessageBuffer({ messagesMax: 20, inFlightMax: 4 })
  const gone = new Set<string>()
  let made = 0
  let sent: Message[] = []
  for (let step = 0; step < 5_000; step++) {
    const action = random.integer(0, 9)
    if (action < 4) {
      const dropped = buffer.push(named(String(made++)))
      if (dropped) gone.add(dropped.topic)
    } else if (action < 8) {
      const acknowledged = sent[random.integer(0, sent.length)]
      if (acknowledged && buffer.acknowledge(acknowledged)) gone.add(acknowledged.topic)
      sent = sent.filter(({ topic }) => !gone.has(topic))
    } else if (action === 8) {
      buffer.connectionLost()
      sent = []
    }
    for (let next = buffer.next(); next; next = buffer.next()) {
      const newest = Math.max(-1, ...sent.map(({ topic }) => Number(topic)))
      expect(Number(next.topic)).toBeGreaterThan(newest)
      sent.push(next)
    }
    expect(buffer.inFlight).toBe(sent.length)
    expect(buffer.size + gone.size).toBe(made)
  }
  expect(made).toBeGreaterThan(1_000)
})
