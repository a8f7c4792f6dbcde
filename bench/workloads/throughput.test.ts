import { expect, test } from 'vitest'
import type { LoadShape } from '../context.ts'
import { LOSE_A_ROW, miniContext } from '../testing/context.ts'
import { measureThroughput } from './throughput.ts'

const SHAPE: LoadShape = { name: 'mini', connections: 3, readingsPerMessage: 4, devices: 24, inFlightMax: 2 }

/** Measures for a second, once; each database is prepared with `sql`. */
async function measure(sql: string) {
  const context = await miniContext({ sql })
  const { shapes } = await measureThroughput(context, [SHAPE])
  const [result] = shapes
  if (!result) throw new Error('no result')
  return result
}

test('a run counts when the database has what was acknowledged', async () => {
  const { problems, figures, series = [], histograms = [] } = await measure('SELECT 1')
  expect(problems).toEqual([])
  const values = Object.fromEntries(figures.map(({ name, values: [value] }) => [name, value]))
  expect(values['acknowledged and committed']).toBeGreaterThan(0)
  expect(values['share of raw COPY']).toBeCloseTo(
    (values['acknowledged and committed'] ?? 0) / (values['raw COPY'] ?? 0),
  )
  expect(values['rows a COPY']).toBeGreaterThanOrEqual(SHAPE.readingsPerMessage)
  expect(Object.keys(values)).toContain('share of bare Aedes')
  expect(values['share of FrostGuard without the evaluator']).toBeCloseTo(
    (values['acknowledged and committed'] ?? 0) / (values['without the evaluator'] ?? 0),
  )
  expect(values['FrostGuard: until all was evaluated']).toBeGreaterThanOrEqual(0)
  expect(new Set(series.map(({ plot }) => plot))).toContain('Rows in a COPY')
  expect(histograms.map(({ plot }) => plot)).toEqual([
    'Latency, publish to PUBACK',
    'Rows in a COPY, distribution',
  ])
  const rowsOfCopies = histograms[1]?.percentiles ?? []
  expect(rowsOfCopies[0]?.[1]).toBeGreaterThanOrEqual(SHAPE.readingsPerMessage)
  expect(rowsOfCopies.at(-1)?.[1]).toBeGreaterThanOrEqual(values['rows a COPY'] ?? Number.POSITIVE_INFINITY)
  if (process.platform !== 'linux') return
  expect(values['FrostGuard: CPU of service for a million readings']).toBeCloseTo(
    ((values['FrostGuard: CPU of service'] ?? 0) / (values['acknowledged and committed'] ?? 0)) * 1e6,
  )
})

test('a run does not count when a row has vanished, and its figures are left out', async () => {
  const { problems, figures } = await measure(LOSE_A_ROW)
  expect(problems).toEqual([
    expect.stringMatching(
      /^round 1: rows in sensor_readings, of the readings acknowledged: \d+, expected \d+ \(-1\)$/,
    ),
  ])
  expect(figures).toEqual([])
})
