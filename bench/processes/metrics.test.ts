import { expect, test } from 'vitest'
import { parseMetrics } from './metrics.ts'

test('reads values with their labels from a page of metrics', () => {
  const page = [
    '# HELP frostguard_readings_rejected_total The readings set aside',
    '# TYPE frostguard_readings_rejected_total counter',
    'frostguard_readings_rejected_total{reason="unknown device"} 12',
    'frostguard_readings_in_flight 0',
    'process_cpu_seconds_total 1.5e-3',
    '',
  ].join('\n')
  expect([...parseMetrics(page)]).toEqual([
    ['frostguard_readings_rejected_total{reason="unknown device"}', 12],
    ['frostguard_readings_in_flight', 0],
    ['process_cpu_seconds_total', 0.0015],
  ])
})
