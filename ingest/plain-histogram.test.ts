import { Histogram, Registry } from 'prom-client'
import { expect, test } from 'vitest'
import { PlainHistogram } from './plain-histogram.ts'

const NAME = 'seconds'
const HELP = 'What it is'

test('shows what prom-client shows of the same values', async () => {
  const buckets = [0.001, 0.01, 0.5, 10]
  const [ours, theirs] = [new Registry(), new Registry()]
  const plain = new PlainHistogram({ name: NAME, help: HELP, buckets, register: ours })
  const usual = new Histogram({ name: NAME, help: HELP, buckets, registers: [theirs] })
  for (const value of [0, 0.001, 0.0011, 0.3, 0.5, 9.99, 10, 11, 500]) {
    plain.observe(value)
    usual.observe(value)
  }
  expect(await ours.metrics()).toBe(await theirs.metrics())
  expect(await ours.metrics()).toContain('seconds_count 9')
})

test('shows itself before anything was observed', async () => {
  const register = new Registry()
  new PlainHistogram({ name: NAME, help: HELP, buckets: [1], register })
  expect(await register.metrics()).toContain('seconds_bucket{le="1"} 0')
})
