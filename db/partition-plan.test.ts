import { describe, expect, it } from 'vitest'
import { planPartitions, type Range } from './partition-plan.ts'

const NOW = Date.UTC(2026, 10, 20, 10)
const month = (year: number, index: number): Range => ({
  fromMs: Date.UTC(year, index),
  toMs: Date.UTC(year, index + 1),
})
const suffixes = (existing: Range[], now = NOW) =>
  planPartitions(existing, now).map((planned) => planned.suffix)

describe('planPartitions', () => {
  it('plans a year for each past year, and months from this January on, for an empty table', () => {
    expect(suffixes([])).toEqual([
      ...['2015', '2016', '2017', '2018', '2019', '2020', '2021', '2022', '2023', '2024', '2025'],
      ...['2026_01', '2026_02', '2026_03', '2026_04', '2026_05', '2026_06', '2026_07', '2026_08', '2026_09'],
      ...['2026_10', '2026_11', '2026_12', '2027_01'],
    ])
  })

  it('leaves no gap and no overlap between 2015 and 62 days ahead, whatever the day', () => {
    for (let now = Date.UTC(2026, 0, 1); now < Date.UTC(2029, 0, 1); now += 86_400_000) {
      const planned = planPartitions([], now)
      expect(planned[0]?.fromMs).toBe(Date.UTC(2015, 0, 1))
      planned.slice(1).forEach((next, index) => {
        expect(next.fromMs).toBe(planned[index]?.toMs)
      })
      const end = planned.at(-1)?.toMs ?? 0
      expect(end).toBeGreaterThanOrEqual(now + 62 * 86_400_000)
      expect(end).toBeLessThan(now + 94 * 86_400_000)
    }
  })

  it('plans nothing when its plan has been carried out', () => {
    expect(suffixes(planPartitions([], NOW))).toEqual([])
  })

  it('adds only the months ahead as time goes by, also over the end of a year', () => {
    const existing = planPartitions([], NOW)
    expect(suffixes(existing, Date.UTC(2027, 0, 5))).toEqual(['2027_02', '2027_03'])
  })

  it('fills a past year month by month when it has a partition already', () => {
    const existing = [...planPartitions([], NOW).filter((range) => range.suffix !== '2020'), month(2020, 3)]
    const expected = ['01', '02', '03', '05', '06', '07', '08', '09', '10', '11', '12'].map(
      (m) => `2020_${m}`,
    )
    expect(suffixes(existing)).toEqual(expected)
  })

  it('is content with any partitions that cover a month together, also unbounded ones', () => {
    const middle = Date.UTC(2026, 10, 11)
    const before = { fromMs: -Infinity, toMs: middle }
    const after = { fromMs: middle, toMs: Infinity }
    expect(suffixes([before, after])).toEqual([])
  })

  it('refuses to guess when a month is covered in part', () => {
    const half = { fromMs: Date.UTC(2026, 10, 1), toMs: Date.UTC(2026, 10, 11) }
    expect(() => planPartitions([half], NOW)).toThrow(/cover 2026_11 only in part/)
  })
})
