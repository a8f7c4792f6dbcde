import { expect, test } from 'vitest'
import { LockOut } from './lock-out.ts'

const OPTIONS = { failuresPerMinute: 10, addressFailuresPerMinute: 60 }

function attempt(username: string, address = '192.0.2.1') {
  return { username, address }
}

/** Tries a wrong secret, and says whether it was checked. */
function tryWrong(lockOut: LockOut, who: ReturnType<typeof attempt>, nowMs: number): boolean {
  const checked = lockOut.begin(who, nowMs)
  if (checked) lockOut.settle(who, 'wrong', nowMs)
  return checked
}

test('a username is locked out from the address of its wrong log-ins alone, and the count fades', () => {
  const lockOut = new LockOut(OPTIONS)
  const checked = Array.from({ length: 30 }, () => tryWrong(lockOut, attempt('hub-1'), 0))
  expect(checked.filter(Boolean).length).toBe(10)
  expect(lockOut.lockedOut(0)).toBe(1)
  expect(lockOut.begin(attempt('hub-1', '192.0.2.2'), 0)).toBe(true)
  expect(lockOut.begin(attempt('hub-2'), 0)).toBe(true)
  expect(lockOut.begin(attempt('hub-1'), 5_999)).toBe(false)
  expect(lockOut.begin(attempt('hub-1'), 6_000)).toBe(true)
  expect(lockOut.lockedOut(60_000)).toBe(0)
})

test('many usernames from one address lock the address out, not other addresses', () => {
  const lockOut = new LockOut(OPTIONS)
  const checked = Array.from({ length: 1_000 }, (_, index) => tryWrong(lockOut, attempt(`guess-${index}`), 0))
  expect(checked.filter(Boolean).length).toBe(60)
  expect(lockOut.begin(attempt('hub-1'), 0)).toBe(false)
  expect(lockOut.begin(attempt('hub-1', '192.0.2.2'), 0)).toBe(true)
  expect(lockOut.begin(attempt('hub-1'), 1_000)).toBe(true)
})

test('attempts at once count before they are settled', () => {
  const lockOut = new LockOut(OPTIONS)
  const begun = Array.from({ length: 30 }, () => lockOut.begin(attempt('hub-1'), 0))
  expect(begun.filter(Boolean).length).toBe(10)
})

test('a right log-in ends the count, and one that could not be decided leaves it as it was', () => {
  const lockOut = new LockOut(OPTIONS)
  for (let count = 0; count < 9; count++) tryWrong(lockOut, attempt('hub-1'), 0)
  for (let count = 0; count < 20; count++) {
    expect(lockOut.begin(attempt('hub-1'), 0)).toBe(true)
    lockOut.settle(attempt('hub-1'), 'undecided', 0)
  }
  expect(lockOut.begin(attempt('hub-1'), 0)).toBe(true)
  lockOut.settle(attempt('hub-1'), 'right', 0)
  expect(Array.from({ length: 10 }, () => tryWrong(lockOut, attempt('hub-1'), 0))).not.toContain(false)
})

test('a hub that keeps trying an old secret does not lock the hubs beside it out', () => {
  const lockOut = new LockOut(OPTIONS)
  for (let nowMs = 0; nowMs < 3_600_000; nowMs += 1_000) {
    tryWrong(lockOut, attempt('old-1'), nowMs)
    tryWrong(lockOut, attempt('old-2'), nowMs)
    expect(lockOut.begin(attempt('hub-1'), nowMs)).toBe(true)
    lockOut.settle(attempt('hub-1'), 'right', nowMs)
  }
})
