import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { expect, onTestFinished, test } from 'vitest'
import { cpuSecondsOf, cpuSecondsOfFamily, parentOf, residentBytesOf } from './usage.ts'

const SPIN =
  'for (let used = 0; used < 200_000; ) { const { user, system } = process.cpuUsage(); used = user + system }'

test.skipIf(!existsSync('/proc/self/stat'))(
  'counts a process, and with a family its children too',
  async () => {
    const own = cpuSecondsOf(process.pid) ?? 0
    const { user, system } = process.cpuUsage()
    expect(Math.abs(own - (user + system) / 1e6)).toBeLessThan(0.5)
    expect(residentBytesOf(process.pid)).toBeGreaterThan(10_000_000)

    const before = (cpuSecondsOfFamily(process.pid) ?? 0) - own
    const child = spawn(process.execPath, ['-e', `${SPIN} console.log('done'); setInterval(() => {}, 1000)`])
    onTestFinished(() => void child.kill())
    await new Promise((resolve) => child.stdout.once('data', resolve))
    expect(parentOf(child.pid ?? 0)).toBe(process.pid)
    const living = (cpuSecondsOfFamily(process.pid) ?? 0) - (cpuSecondsOf(process.pid) ?? 0) - before
    expect(living).toBeGreaterThan(0.05)
    child.kill()
    await new Promise((resolve) => child.once('exit', resolve))
    const ended = (cpuSecondsOfFamily(process.pid) ?? 0) - (cpuSecondsOf(process.pid) ?? 0) - before
    // Both are differences of whole ticks.
    expect(ended).toBeGreaterThan(living - 0.05)
  },
)

test('knows nothing of a process that is not there', () => {
  expect(cpuSecondsOf(2 ** 30)).toBeUndefined()
  expect(cpuSecondsOfFamily(2 ** 30)).toBeUndefined()
  expect(residentBytesOf(2 ** 30)).toBeUndefined()
})
