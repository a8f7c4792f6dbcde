import { expect, test } from 'vitest'
import { BacklogUnderWay } from './backlog-under-way.ts'
import type { HeldMessage } from './message.ts'
import { emptyMessage, testArrival } from './testing/messages.ts'

test('messages are ahead while older ones of their client are under way', () => {
  const backlog = new BacklogUnderWay()
  const [first, second, live] = [message(1), message(2), message(3)]
  expect(backlog.behind([live])).toBeUndefined()
  backlog.add(first)
  backlog.add(second)
  const isAhead = backlog.behind([live])
  expect(isAhead?.()).toBe(true)
  backlog.delete(first)
  expect(isAhead?.()).toBe(true)
  // What comes later is not waited for.
  backlog.add(message(4))
  backlog.delete(second)
  expect(isAhead?.()).toBe(false)
})

test('nobody waits for what arrived later, for other clients, or for one that drains', () => {
  const backlog = new BacklogUnderWay()
  backlog.add(message(5))
  expect(backlog.behind([message(4)])).toBeUndefined()
  expect(backlog.behind([message(6, 'hub-2')])).toBeUndefined()
  expect(backlog.behind([message(6)])?.()).toBe(true)
  for (let index = 0; index < 64; index += 1) backlog.add(message(5))
  expect(backlog.behind([message(6)])).toBeUndefined()
})

function message(arrivedAtMs: number, username = 'hub-1'): HeldMessage {
  const principal = {
    kind: 'hub' as const,
    name: username,
    username,
    organizationId: 1,
    id: 1,
    credentialHash: '',
  }
  return emptyMessage(testArrival(principal, 'readings', 'x', { arrivedAtMs }), 1)
}
