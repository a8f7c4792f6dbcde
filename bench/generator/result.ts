import type { RecordableHistogram } from 'node:perf_hooks'
import { z } from 'zod'
import type { ExpectedBooks } from './mix.ts'

const milliseconds = z.number()

/** What a load has done, as the generator prints it. Counts are of the whole load, rates of the measured part. */
export const loadResult = z.object({
  connections: z.number(),
  /** Connections that ended before the load did, or never came about. */
  connectionsLost: z.number(),
  /** Why, each reason once. */
  reasonsLost: z.array(z.string()),
  /** The ledger: messages sent, the readings and door events in them, and those with a PUBACK. */
  messages: z.number(),
  readings: z.number(),
  acknowledgedMessages: z.number(),
  acknowledgedReadings: z.number(),
  /** The same in messages of each connection, which are those with the numbers from 0 on. */
  sentByConnection: z.array(z.number()),
  acknowledgedByConnection: z.array(z.number()),
  /** What the database must hold of what was sent. */
  expected: z.object({
    readings: z.number(),
    readingsDuplicate: z.number(),
    doors: z.number(),
    doorsDuplicate: z.number(),
    rejected: z.object({ malformed: z.number(), unknown_device: z.number(), invalid: z.number() }),
  }) satisfies z.ZodType<ExpectedBooks>,
  /** Open loop: messages that were due until it stopped. Each was sent, the late ones while it drained. */
  dueMessages: z.number().optional(),
  /** From all connected, or the end of the warm-up, to the last send. */
  measured: z.object({
    seconds: z.number(),
    acknowledgedMessages: z.number(),
    messagesPerSecond: z.number(),
    /** With door events. */
    readingsPerSecond: z.number(),
    /** Acknowledged messages in each whole second. */
    eachSecond: z.array(z.number()),
    latencyMs: z.object({
      p50: milliseconds,
      p90: milliseconds,
      p99: milliseconds,
      p999: milliseconds,
      max: milliseconds,
    }),
    /** The distribution in full: percentile and milliseconds, closer and closer towards 100. */
    latencyPercentiles: z.array(z.tuple([z.number(), milliseconds])),
    cpuSeconds: z.object({ user: z.number(), system: z.number() }),
  }),
  /** From the last send to the last acknowledgement. */
  drainSeconds: z.number(),
})
export type LoadResult = z.output<typeof loadResult>

const NS_PER_MS = 1e6

/** Percentiles of a histogram of nanoseconds. */
export function latencyOf(histogram: RecordableHistogram): LoadResult['measured']['latencyMs'] {
  const percentile = (value: number) => (histogram.count === 0 ? 0 : histogram.percentile(value) / NS_PER_MS)
  return {
    p50: percentile(50),
    p90: percentile(90),
    p99: percentile(99),
    p999: percentile(99.9),
    max: percentile(100),
  }
}

/** The same histogram in full, as it divides itself. */
export function percentilesOf(histogram: RecordableHistogram): LoadResult['measured']['latencyPercentiles'] {
  if (histogram.count === 0) return []
  return [...histogram.percentiles].map(([percentile, ns]) => [percentile, ns / NS_PER_MS])
}
