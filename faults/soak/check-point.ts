import { setTimeout as sleep } from 'node:timers/promises'
import type { Ledger } from '../../simulators/ledger/ledger.ts'
import { type Books, verifyLedger } from '../../simulators/verify/verify.ts'
import { onServer } from '../testing/postgres.ts'
import type { PublishTally } from './publish-tally.ts'
import type { Stack } from './stack.ts'
import type { Traffic } from './traffic.ts'

export interface CheckPoint {
  books: Books | undefined
  /** Sentences; none when all is well. */
  problems: string[]
}

const DRAIN_MS_MAX = 180_000
const POLL_MS = 50
const SUBJECTS = ['readings', 'door_events'] as const

/**
 * Lets everything recover and drain, then compares: acknowledged with stored and rejected, the service's books with
 * themselves, the ledger of batches with the rows. The traffic is ended.
 */
export async function checkPoint(parts: {
  stack: Stack
  traffic: Traffic
  ledger: Ledger
  tally: PublishTally
}): Promise<CheckPoint> {
  const { stack, traffic, ledger, tally } = parts
  const problems: string[] = []
  await stack.service.ready()
  if (!(await traffic.drain(DRAIN_MS_MAX))) {
    problems.push(`${traffic.buffered} messages were not acknowledged within ${DRAIN_MS_MAX} ms.`)
  }
  await traffic.end()
  problems.push(...(await serviceProblems(stack)))
  const books = await verifyLedger(stack.postgres.url, ledger)
  if (books.isOff) problems.push('The database differs from the ledger.')
  problems.push(...(await batchProblems(stack.postgres.url)))
  problems.push(...(await onServer(stack.postgres.url, (client) => tally.problems(client))))
  return { books, problems }
}

/** An account of the service that does not balance, as a sentence. */
export function imbalanceOf(metrics: ReadonlyMap<string, number>): string[] {
  return SUBJECTS.flatMap((subject) => {
    const imbalance = metrics.get(`frostguard_${subject}_imbalance`)
    return imbalance === 0 ? [] : [`The service's books of ${subject} are off by ${imbalance}.`]
  })
}

/** Waits until the service holds nothing; then its books must balance. */
async function serviceProblems({ service }: Stack): Promise<string[]> {
  const deadline = performance.now() + DRAIN_MS_MAX
  for (;;) {
    const metrics = await service.metrics()
    const held = metrics ? heldItems(metrics) : undefined
    if (metrics && held === 0) return imbalanceOf(metrics)
    if (performance.now() > deadline) {
      return [`The service still holds ${held ?? 'what it does not tell'} items after ${DRAIN_MS_MAX} ms.`]
    }
    await sleep(POLL_MS)
  }
}

function heldItems(metrics: ReadonlyMap<string, number>): number {
  return SUBJECTS.flatMap((subject) => [`${subject}_spooled`, `${subject}_in_flight`]).reduce(
    (sum, name) => sum + (metrics.get(`frostguard_${name}`) ?? Number.NaN),
    0,
  )
}

async function batchProblems(url: string): Promise<string[]> {
  return onServer(url, async (client) => {
    const { rows } = await client.query<Record<string, number>>(
      `SELECT (SELECT sum(readings)::float8 FROM pipeline.ingest_batches) AS "readings in batches",
         (SELECT count(*)::float8 FROM sensor_readings) AS "readings",
         (SELECT sum(doors)::float8 FROM pipeline.ingest_batches) AS "door events in batches",
         (SELECT count(*)::float8 FROM door_events) AS "door events",
         (SELECT sum(rejected)::float8 FROM pipeline.ingest_batches) AS "rejected in batches",
         (SELECT count(*)::float8 FROM pipeline.rejected_messages) AS "rejected"`,
    )
    const counts = rows[0] ?? {}
    return ['readings', 'door events', 'rejected']
      .filter((what) => (counts[`${what} in batches`] ?? 0) !== counts[what])
      .map((what) => `The batches say ${counts[`${what} in batches`]} ${what}, stored are ${counts[what]}.`)
  })
}
