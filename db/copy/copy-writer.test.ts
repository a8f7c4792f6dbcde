import { expect, test } from 'vitest'
import { CopyWriter } from './copy-writer.ts'

/** What a field adds, in hexadecimal, without the signature and the trailer. */
function written(write: (copy: CopyWriter) => void): string {
  const copy = new CopyWriter(100)
  write(copy)
  return copy.finish().subarray(19, -2).toString('hex')
}

test('each type in the bytes of PostgreSQL, with its length before it', () => {
  expect(written((copy) => copy.beginRow(13))).toBe('000d')
  expect(written((copy) => copy.int32(-2))).toBe('00000004fffffffe')
  expect(written((copy) => copy.int16(-90.6))).toBe('00000002ffa5')
  expect(written((copy) => copy.int64(-2n))).toBe('00000008fffffffffffffffe')
  expect(written((copy) => copy.float32(-1.5))).toBe('00000004bfc00000')
  expect(written((copy) => copy.float64(-1.5))).toBe('00000008bff8000000000000')
  expect(written((copy) => copy.ascii('hub'))).toBe('00000003687562')
  expect(written((copy) => copy.timestamp(Date.UTC(2000, 0, 1) - 1))).toBe('00000008fffffffffffffc18')
  expect(written((copy) => copy.timestamp(Date.UTC(2026, 10, 21)))).toBe('00000008000303bccf7de000')
})

test('null is a length of -1', () => {
  const all = written((copy) => {
    copy.int32(null)
    copy.int16(null)
    copy.float32(null)
    copy.float64(null)
    copy.ascii(null)
  })
  expect(all).toBe('ffffffff'.repeat(5))
})

test('the data begins with the signature and ends with the trailer', () => {
  expect(new CopyWriter(0).finish().toString('latin1')).toBe(`PGCOPY\n\xff\r\n${'\0'.repeat(9)}\xff\xff`)
})

test.each([
  ['an int4', (copy: CopyWriter) => copy.int32(2 ** 31)],
  ['an int4 that is no whole number', (copy: CopyWriter) => copy.int32(1.5)],
  ['an int2', (copy: CopyWriter) => copy.int16(32_768)],
  ['an int2 that is no number', (copy: CopyWriter) => copy.int16(Number.NaN)],
  ['a time that is no number', (copy: CopyWriter) => copy.timestamp(Number.NaN)],
  ['what goes beyond the stated bytes', (copy: CopyWriter) => copy.ascii('x'.repeat(200))],
])('throws a RangeError for %s', (_what, write) => {
  expect(() => write(new CopyWriter(100))).toThrow(RangeError)
})
