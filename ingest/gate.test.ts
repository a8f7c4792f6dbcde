import { expect, it } from 'vitest'
import { DatabaseGate } from './gate.ts'

const gate = () => new DatabaseGate({ probeFirstMs: 100, probeMaxMs: 350 })

it('is closed at first: batches go to the database', () => {
  const fresh = gate()
  expect(fresh.mode).toBe('closed')
  expect(fresh.reason).toBeUndefined()
  expect(fresh.awayMs(5)).toBe(0)
  expect(fresh.beginProbe(5)).toBe(false)
})

it('opens with the first failure, and says since when and why', () => {
  const opened = gate()
  opened.failed(1_000, 'refused')
  expect(opened.mode).toBe('open')
  expect(opened.reason).toBe('refused')
  expect(opened.awayMs(1_500)).toBe(500)
  expect(opened.probeInMs(1_040)).toBe(60)
})

it('lets one probe through when it is due', () => {
  const probing = gate()
  probing.failed(0, 'refused')
  expect(probing.beginProbe(99)).toBe(false)
  expect(probing.beginProbe(100)).toBe(true)
  expect(probing.mode).toBe('half_open')
  expect(probing.beginProbe(200)).toBe(false)
})

it('closes when the probe succeeds', () => {
  const mended = gate()
  mended.failed(0, 'refused')
  mended.beginProbe(100)
  mended.succeeded()
  expect(mended.mode).toBe('closed')
  expect(mended.reason).toBeUndefined()
  expect(mended.awayMs(500)).toBe(0)
})

it('probes less and less often while it stays away, up to a limit', () => {
  const away = gate()
  away.failed(0, 'refused')
  let now = 0
  const delays = [100, 200, 350, 350].map((expected) => {
    expect(away.probeInMs(now)).toBe(expected)
    now += expected
    expect(away.beginProbe(now)).toBe(true)
    away.failed(now, 'still refused')
    return expected
  })
  expect(delays).toHaveLength(4)
  expect(away.awayMs(now)).toBe(1_000)
})

it('is not moved by batches that were under way when it opened', () => {
  const opened = gate()
  opened.failed(0, 'refused')
  opened.failed(50, 'refused as well')
  expect(opened.probeInMs(50)).toBe(50)
  opened.succeeded()
  expect(opened.mode).toBe('open')
})
