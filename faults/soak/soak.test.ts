import { expect, test } from 'vitest'
import type { PlannedFault } from './schedule.ts'
import { drawStep } from './schedule.ts'
import { soak } from './soak.ts'

/** A step with faults that begin together; `lastsMs` and the bytes are those of a short outage. */
function step(position: number, ...kinds: PlannedFault['kind'][]) {
  const faults = kinds.map((kind) => ({ kind, delayMs: 0, lastsMs: 100, bytes: 1_000, share: 0.3 }))
  return { position, waitsForService: true, pauseMs: 200, faults }
}

/** The random soak runs apart (`npm run test:soak`); this one has a fixed list, of each kind of kill at least one. */
const STEPS = [
  step(0, 'kill service'),
  step(1, 'kill postgres'),
  step(2, 'cut answers', 'cut hubs'),
  step(3, 'kill service', 'kill postgres'),
  step(4, 'kill starting service', 'lock ledger'),
]

test('kills of service and PostgreSQL: nothing acknowledged is lost, nothing is stored twice, the books balance', async () => {
  const printed: string[] = []
  const steps = [...STEPS]
  const result = await soak({
    seed: 7,
    // The service starts in a second or two, and only then they publish.
    hubs: 12,
    checkEvery: 100,
    nextStep: () => steps.shift(),
    print: (line) => printed.push(line),
  })
  expect(result.problems, printed.join('\n')).toEqual([])
  expect(result.faults.kills).toEqual({ service: 4, postgres: 2 })
  expect(result.checkPoints).toBe(1)
  expect(result.books?.readings.acknowledged).toBeGreaterThan(1_000)
}, 240_000)

test('a schedule follows from its seed and position', () => {
  const options = { seed: 3, position: 17, secondsBetween: 1 }
  expect(drawStep(options)).toEqual(drawStep(options))
  expect(drawStep(options)).not.toEqual(drawStep({ ...options, position: 18 }))
})
