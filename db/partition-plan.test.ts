import { describe, expect, it } from 'vitest'
import { planNarrowing, planPartitions, type Range, type Width, widthFor } from './partition-plan.ts'

const NOW = Date.UTC(2026, 10, 20, 10)
const month = (year: number, index: number): Range => ({
  fromMs: Date.UTC(year, index),
  toMs: Date.UTC(year, index + 1),
})
const plan = (existing: Range[], nowMs = NOW, width: Width = 'month') =>
  planPartitions({ existing, nowMs, width })
const suffixes = (existing: Range[], nowMs = NOW, width: Width = 'month') =>
  plan(existing, nowMs, width).map((planned) => planned.suffix)

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
      const planned = plan([], now)
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
    expect(suffixes(plan([], NOW))).toEqual([])
  })

  it('adds only the months ahead as time goes by, also over the end of a year', () => {
    const existing = plan([], NOW)
    expect(suffixes(existing, Date.UTC(2027, 0, 5))).toEqual(['2027_02', '2027_03'])
  })

  it('fills a past year month by month when it has a partition already', () => {
    const existing = [...plan([], NOW).filter((range) => range.suffix !== '2020'), month(2020, 3)]
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

  it('fills what a month has left with days, and days with hours', () => {
    const half = { fromMs: Date.UTC(2026, 10, 1), toMs: Date.UTC(2026, 10, 11, 22) }
    const next = plan([...plan([]).filter((range) => range.fromMs < half.fromMs), half])
    expect(next.slice(0, 4).map(({ suffix }) => suffix)).toEqual([
      '2026_11_11_22',
      '2026_11_11_23',
      '2026_11_12',
      '2026_11_13',
    ])
    expect(next.at(-1)?.suffix).toBe('2027_01')
  })

  it('refuses to guess when a partition ends within an hour', () => {
    const odd = { fromMs: Date.UTC(2026, 10, 1), toMs: Date.UTC(2026, 10, 11, 22, 30) }
    expect(() => plan([odd])).toThrow(/end within the hour of 2026-11-11T22:30.*by hand/)
  })

  it('makes narrower ones for a large fleet, from this month on', () => {
    const days = suffixes([], NOW, 'day')
    expect(days.slice(19, 23)).toEqual(['2026_09', '2026_10', '2026_11_01', '2026_11_02'])
    expect(days.at(-1)).toBe('2026_12_04')
    expect(suffixes([], NOW, 'quarter').at(-1)).toBe('2026_11_27_q2')
    expect(suffixes([], NOW, 'hour').at(-1)).toBe('2026_11_24_09')
  })

  it('goes back to months where a fleet has shrunk', () => {
    expect(suffixes(plan([], NOW, 'day')).slice(0, 2)).toEqual(['2026_12_05', '2026_12_06'])
    expect(suffixes(plan([], NOW, 'day')).slice(-2)).toEqual(['2026_12_31', '2027_01'])
  })
})

describe('widthFor', () => {
  it.each([
    ['no device', 0, 'month'],
    ['100 devices every 5 minutes', 28_800, 'month'],
    ['1,000 devices', 288_000, 'day'],
    ['10,000 devices', 2_880_000, 'quarter'],
    ['100,000 devices', 28_800_000, 'hour'],
    ['far more', 1e12, 'hour'],
  ])('keeps an open partition to two million rows: %s', (_, readingsPerDay, width) => {
    expect(widthFor(readingsPerDay)).toBe(width)
  })
})

describe('planNarrowing', () => {
  const narrowing = (existing: Range[], width: Width) => planNarrowing({ existing, nowMs: NOW, width })

  it('cuts the present partition at the next boundary, and those ahead where they begin', () => {
    const day = Date.UTC(2026, 10, 21)
    expect(narrowing(plan([]), 'day')).toEqual([
      { range: expect.objectContaining(month(2026, 10)), cutMs: day },
      { range: expect.objectContaining(month(2026, 11)), cutMs: Date.UTC(2026, 11, 1) },
      { range: expect.objectContaining(month(2027, 0)), cutMs: Date.UTC(2027, 0, 1) },
    ])
  })

  it('finds nothing more once that is done, nor where the width is right', () => {
    expect(narrowing(plan([]), 'month')).toEqual([])
    const cut = plan([]).filter((range) => range.toMs <= NOW)
    cut.push({ suffix: '2026_11', fromMs: Date.UTC(2026, 10, 1), toMs: Date.UTC(2026, 10, 21) })
    expect(narrowing([...cut, ...plan(cut, NOW, 'day')], 'day')).toEqual([])
  })

  it('leaves partitions without bounds alone', () => {
    expect(narrowing([{ fromMs: Date.UTC(2026, 0), toMs: Infinity }], 'hour')).toEqual([])
  })
})
