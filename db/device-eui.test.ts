import { expect, test } from 'vitest'
import { normalizeDevEui } from './device-eui.ts'

const CANONICAL = '24e124136b502f4a'

test.each([CANONICAL, '24E124136B502F4A', '24:e1:24:13:6b:50:2f:4a', '24-E1-24-13-6b-50-2F-4a'])(
  '%s is a DevEUI',
  (text) => {
    expect(normalizeDevEui(text)).toBe(CANONICAL)
  },
)

test.each([
  ['empty', ''],
  ['15 digits', '24e124136b502f4'],
  ['17 digits', '24e124136b502f4a0'],
  ['not hex', '24e124136b502f4g'],
  ['mixed separators', '24:e1-24:13:6b:50:2f:4a'],
  ['separators missing between some bytes', '24:e124136b502f4a'],
  ['separator inside a byte', '2:4e:12:41:36:b5:02:f4a'],
  ['trailing separator', '24:e1:24:13:6b:50:2f:4a:'],
  ['other separator', '24 e1 24 13 6b 50 2f 4a'],
  ['space around', ` ${CANONICAL}`],
  ['newline behind', `${CANONICAL}\n`],
  ['full-width digits', '２４e124136b502f4a'],
])('%s is no DevEUI', (_, text) => {
  expect(normalizeDevEui(text)).toBeNull()
})
