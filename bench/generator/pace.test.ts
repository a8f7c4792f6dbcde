import { expect, onTestFinished, test } from 'vitest'
import { closedLoop, openLoop } from './pace.ts'

const at = (index: number, sent: number, inFlight: number) => ({ index, sent, inFlight })

test('a closed loop fills the window until the messages are used up', async () => {
  const pace = closedLoop({ connections: 2, inFlightMax: 5, messagesMax: 12 })
  expect(pace.take(at(0, 0, 0))).toBe(5)
  expect(pace.take(at(1, 0, 0))).toBe(5)
  expect(pace.take(at(0, 5, 4))).toBe(1)
  expect(pace.take(at(1, 5, 0))).toBe(1)
  await pace.exhausted
  expect(pace.take(at(1, 6, 0))).toBe(0)
})

test('a closed loop that is stopped sends nothing more', () => {
  const pace = closedLoop({ connections: 1, inFlightMax: 5, messagesMax: 12 })
  pace.stop(true)
  expect(pace.take(at(0, 0, 0))).toBe(0)
})

/** Two connections, a message each every 100 ms, on a clock of the test's own. */
function openLoopAt(options: { inFlightMax: number; messagesMax: number }) {
  let nowMs = 1_000
  const pace = openLoop({ connections: 2, intervalMs: 100, now: () => nowMs, ...options })
  onTestFinished(() => pace.stop(true))
  const sent: [number, number] = [0, 0]
  const send = (connection: number) => {
    sent[connection as 0 | 1] += pace.take(at(connection, sent[connection as 0 | 1], 0))
  }
  return {
    pace,
    sent,
    startAt: (ms: number) => {
      nowMs = ms
      pace.start(send)
    },
  }
}

test('an open loop makes messages due by the clock alone, the connections in turns', () => {
  const { pace, sent, startAt } = openLoopAt({ inFlightMax: 10, messagesMax: 100 })
  startAt(1_000)
  expect(sent).toEqual([1, 0])
  expect(pace.due).toBe(1)
  expect(pace.dueAt(0, 0, 0)).toBe(1_000)
  expect(pace.dueAt(1, 0, 0)).toBe(1_050)
  expect(pace.dueAt(1, 3, 9_999)).toBe(1_350)
})

test('what is due while the window is full is sent later, and keeps its time', async () => {
  let nowMs = 0
  const pace = openLoop({
    connections: 1,
    intervalMs: 10,
    inFlightMax: 2,
    messagesMax: 6,
    now: () => nowMs,
  })
  onTestFinished(() => pace.stop(true))
  pace.start(() => {})
  const before = pace.due
  nowMs = 45
  await expect.poll(() => pace.due).toBe(5)
  expect(before).toBe(1)
  expect(pace.take(at(0, 0, 0))).toBe(2)
  expect(pace.take(at(0, 2, 2))).toBe(0)
  expect(pace.take(at(0, 2, 0))).toBe(2)
  expect(pace.dueAt(0, 3, nowMs)).toBe(30)
  expect(pace.take(at(0, 4, 0))).toBe(1)
  nowMs = 1_000
  await expect.poll(() => pace.due).toBe(6)
  expect(pace.take(at(0, 5, 0))).toBe(1)
  await pace.exhausted
})

test('an open loop that is stopped still sends what was due, unless it is to stop at once', async () => {
  let nowMs = 0
  const options = { connections: 1, intervalMs: 10, inFlightMax: 1, messagesMax: 100 }
  const pace = openLoop({ ...options, now: () => nowMs })
  pace.start(() => {})
  nowMs = 25
  await expect.poll(() => pace.due).toBe(3)
  pace.stop(false)
  nowMs = 1_000
  expect(pace.take(at(0, 0, 0))).toBe(1)
  expect(pace.take(at(0, 1, 1))).toBe(0)
  expect(pace.take(at(0, 1, 0))).toBe(1)
  expect(pace.due).toBe(3)
  pace.stop(true)
  expect(pace.take(at(0, 2, 0))).toBe(0)
})
