import { expect, test } from 'vitest'
import { OVERRUN, restMs } from './rest.ts'

const BUSY = { utilization: 0.95, isBehind: true, isArriving: false, lagMs: 0 }

test('rests only while arrivals leave no time, and never long', () => {
  expect(restMs(100, { ...BUSY, utilization: 0.94, isArriving: true })).toBe(0)
  expect(restMs(100, BUSY)).toBe(300)
  expect(restMs(5_000, BUSY)).toBe(1_000)
})

test('does not rest while it keeps up, unless more arrives than is committed', () => {
  const keepingUp = { ...BUSY, isBehind: false, isArriving: true }
  expect(restMs(100, { ...keepingUp, utilization: 1 })).toBe(0)
  expect(restMs(100, { ...keepingUp, utilization: OVERRUN })).toBe(900)
})

test('then what arrives comes first, until the lag is a minute', () => {
  expect(restMs(100, { ...BUSY, isArriving: true })).toBe(900)
  expect(restMs(100, { ...BUSY, isArriving: true, lagMs: 60_000 })).toBe(300)
})
