import { describe, expect, it } from 'vitest'
import { Random } from './random.ts'

const DRAWS = 20_000
const list = <T>(draw: () => T, count = DRAWS): T[] => Array.from({ length: count }, draw)
const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length
const deviation = (values: readonly number[]) => {
  const center = mean(values)
  return Math.sqrt(mean(values.map((value) => (value - center) ** 2)))
}

describe('a stream', () => {
  it('is the same for the same seed and names, and another for any other', () => {
    const first = (random: Random) => list(() => random.next(), 20)
    const reference = first(new Random(1, 'unit', 'a'))
    expect(first(new Random(1, 'unit', 'a'))).toEqual(reference)
    const others = [
      new Random(2, 'unit', 'a'),
      new Random(1, 'unit', 'b'),
      new Random(1, 'unita'),
      new Random(1, 'uni', 'ta'),
      new Random(1, 'a', 'unit'),
      new Random(1),
    ].map(first)
    const distinct = new Set([reference, ...others].flat())
    expect(distinct.size).toBe(20 * 7)
  })

  it('is as good for neighbouring seeds: their first draws are spread evenly', () => {
    const firsts = Array.from({ length: DRAWS }, (_, seed) => new Random(seed).next())
    expect(mean(firsts)).toBeCloseTo(0.5, 1)
    expect(deviation(firsts)).toBeCloseTo(Math.sqrt(1 / 12), 2)
  })
})

describe('draws', () => {
  it('next is in [0, 1) and even', () => {
    const random = new Random('next')
    const values = list(() => random.next())
    expect(Math.min(...values)).toBeGreaterThanOrEqual(0)
    expect(Math.max(...values)).toBeLessThan(1)
    expect(mean(values)).toBeCloseTo(0.5, 1)
  })

  it('integer reaches both ends and nothing beyond', () => {
    const random = new Random('integer')
    expect(new Set(list(() => random.integer(-1, 2), 500))).toEqual(new Set([-1, 0, 1, 2]))
  })

  it('chance is never for 0, always for 1, and as often as it says', () => {
    const random = new Random('chance')
    const share = (probability: number) => mean(list(() => Number(random.chance(probability))))
    expect([share(0), share(1)]).toEqual([0, 1])
    expect(share(0.2)).toBeCloseTo(0.2, 1)
  })

  it('normal has its mean and standard deviation', () => {
    const random = new Random('normal')
    const values = list(() => random.normal(5, 2))
    expect(Math.abs(mean(values) - 5)).toBeLessThan(0.1)
    expect(Math.abs(deviation(values) - 2)).toBeLessThan(0.1)
  })

  it('exponential has its mean, and no draw is negative or infinite', () => {
    const random = new Random('exponential')
    const values = list(() => random.exponential(3))
    expect(Math.abs(mean(values) - 3)).toBeLessThan(0.15)
    expect(values.every((value) => value >= 0 && Number.isFinite(value))).toBe(true)
  })

  it('pick takes each item, and refuses an empty list', () => {
    const random = new Random('pick')
    expect(new Set(list(() => random.pick(['a', 'b', 'c']), 200))).toEqual(new Set(['a', 'b', 'c']))
    expect(() => random.pick([])).toThrow('at least one item')
  })
})
