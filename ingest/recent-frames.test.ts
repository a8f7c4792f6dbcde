import { describe, expect, test } from 'vitest'
import type { Frame } from './decode/lora/uplink-items.ts'
import { RecentFrames } from './recent-frames.ts'

const WINDOW_MS = 600_000

function frame(change: Partial<Frame> = {}): Frame {
  return {
    organizationId: 1,
    server: 'chirpstack',
    devEui: '24e124136b502f4a',
    deviceId: null,
    makeText: '',
    fPort: 85,
    fCnt: 7,
    devAddr: '00189440',
    bytes: Buffer.from('01755c', 'hex'),
    decoded: null,
    normalized: [],
    networkAtMs: 1_000_000,
    reception: null,
    isSimulated: false,
    ...change,
  }
}

function recent(framesMax = 100): RecentFrames {
  return new RecentFrames({ windowMs: WINDOW_MS, framesMax })
}

describe('a later copy gets the time of the first', () => {
  test.each([2_500, -2_500, WINDOW_MS, 0])('%d ms after it', (offsetMs) => {
    const frames = recent()
    expect(frames.timeOf(frame())).toBe(1_000_000)
    expect(frames.timeOf(frame({ networkAtMs: 1_000_000 + offsetMs }))).toBe(1_000_000)
    expect(frames.repeated).toBe(offsetMs === 0 ? 0 : 1)
  })

  test('also the third', () => {
    const frames = recent()
    const times = [0, 5_000, 9_000].map((ms) => frames.timeOf(frame({ networkAtMs: 1_000_000 + ms })))
    expect(times).toEqual([1_000_000, 1_000_000, 1_000_000])
  })
})

test.each<[string, Partial<Frame>]>([
  ['that of another organization', { organizationId: 2 }],
  ['another counter', { fCnt: 8 }],
  ['another session', { devAddr: '00189441' }],
  ['another device', { devEui: '24e124136b502f4b' }],
  ['other bytes', { bytes: Buffer.from('01755d', 'hex') }],
  ['beyond the window', { networkAtMs: 1_000_000 + WINDOW_MS + 1 }],
])('%s is another frame', (_what, change) => {
  const frames = recent()
  frames.timeOf(frame())
  const other = frame({ networkAtMs: 1_002_500, ...change })
  expect(frames.timeOf(other)).toBe(other.networkAtMs)
  expect(frames.repeated).toBe(0)
})

test.each<[string, Partial<Frame>]>([
  ['without bytes', { bytes: new Uint8Array() }],
  ['simulated', { isSimulated: true }],
])('a frame %s is not remembered', (_what, change) => {
  const frames = recent()
  frames.timeOf(frame(change))
  expect(frames.timeOf(frame({ ...change, networkAtMs: 1_002_500 }))).toBe(1_002_500)
})

test('a frame without a time has none', () => {
  expect(recent().timeOf(frame({ networkAtMs: null }))).toBeNull()
})

test('the one that has not been seen for longest is forgotten first', () => {
  const frames = recent(2)
  frames.timeOf(frame({ fCnt: 1 }))
  frames.timeOf(frame({ fCnt: 2 }))
  frames.timeOf(frame({ fCnt: 1, networkAtMs: 1_001_000 }))
  frames.timeOf(frame({ fCnt: 3 }))
  expect(frames.timeOf(frame({ fCnt: 1, networkAtMs: 1_002_000 }))).toBe(1_000_000)
  expect(frames.timeOf(frame({ fCnt: 2, networkAtMs: 1_002_000 }))).toBe(1_002_000)
})
