import { expect, test } from 'vitest'
import { addFrame, type FrameWindow } from './frames.ts'

/** Frames a second apart, unless they say when. */
function heard(...frames: { fCnt: number; devAddr?: string; atMs?: number }[]): FrameWindow | undefined {
  let window: FrameWindow | undefined
  for (const [index, { fCnt, devAddr = '01020304', atMs = index * 1_000 }] of frames.entries())
    window = addFrame(window, { fCnt, devAddr, atMs })
  return window
}

test('one after the other: no gap, no reset', () => {
  expect(heard({ fCnt: 7 }, { fCnt: 8 }, { fCnt: 9 })).toMatchObject({
    gaps: 0,
    resets: 0,
    last: { fCnt: 9 },
  })
})

test('what is missing between two frames is counted', () => {
  expect(heard({ fCnt: 7 }, { fCnt: 10 }, { fCnt: 12 })).toMatchObject({ gaps: 3, resets: 0 })
})

test('a counter that begins anew within its session is a reset', () => {
  expect(heard({ fCnt: 500 }, { fCnt: 0 }, { fCnt: 1 })).toMatchObject({
    gaps: 0,
    resets: 1,
    last: { fCnt: 1 },
  })
})

test('with another address it is a join: neither gap nor reset', () => {
  const window = heard({ fCnt: 500 }, { fCnt: 0, devAddr: '0a0b0c0d' }, { fCnt: 1, devAddr: '0a0b0c0d' })
  expect(window).toMatchObject({ gaps: 0, resets: 0, last: { fCnt: 1, devAddr: '0a0b0c0d' } })
})

test('a frame that is sent again, or delivered again, changes nothing', () => {
  expect(heard({ fCnt: 7 }, { fCnt: 7 })).toMatchObject({ gaps: 0, resets: 0 })
  expect(heard({ fCnt: 7 }, { fCnt: 8 }, { fCnt: 7, atMs: 0 }, { fCnt: 9, atMs: 3_000 })).toMatchObject({
    gaps: 0,
    resets: 0,
    last: { fCnt: 9 },
  })
})
