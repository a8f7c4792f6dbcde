import { createHistogram, type RecordableHistogram } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { and, asc, eq, gte, inArray } from 'drizzle-orm'
import { createDatabase, type Database } from '../../db/client.ts'
import { devices, sensorReadings } from '../../db/schema/index.ts'

/** How long each read took, in nanoseconds, and the readings that came. */
interface Reads {
  latencyNs: RecordableHistogram
  readings: number
  /** Reads that found nothing. */
  empty: number
}

type ReadKind = 'device' | 'unit'
export type ReadsByKind = Record<ReadKind, Reads>

/** One operator looks at devices and units in turns. */
export interface Reader {
  /** Reads until told to stop; a read under way is finished. */
  readUntil(stop: AbortSignal): Promise<ReadsByKind>
  close(): Promise<void>
}

const DAY_MS = 86_400_000
/** Between two reads: an operator, not a second load. */
const PAUSE_MS = 20
const TIMEOUT_MS = 30_000
const NS_PER_MS = 1e6
/** The next multiple of the golden ratio is far from those before it. */
const GOLDEN = 0.618_033_988_749_895

/** Reads the last 24 hours of devices and of units, as the console asks for them. */
export async function openReader(url: string): Promise<Reader> {
  const timeouts = { statementTimeoutMs: TIMEOUT_MS, connectTimeoutMs: TIMEOUT_MS }
  const db = createDatabase({ url, poolMax: 1, ...timeouts, onIdleError: () => {} })
  const places = await db.select({ id: devices.id, unitId: devices.unitId }).from(devices)
  let turn = 0
  const place = () => {
    turn += 1
    return places[Math.floor(((turn * GOLDEN) % 1) * places.length)]
  }
  return {
    readUntil: async (stop) => {
      const reads: ReadsByKind = { device: openReads(), unit: openReads() }
      while (!stop.aborted) {
        await timed(reads.device, () => readDevices(db, [place()?.id ?? 0]))
        await timed(reads.unit, () => readUnit(db, place()?.unitId ?? 0))
        await sleep(PAUSE_MS, undefined, { signal: stop }).catch(() => undefined)
      }
      return reads
    },
    close: () => db.$client.end(),
  }
}

function openReads(): Reads {
  return { latencyNs: createHistogram(), readings: 0, empty: 0 }
}

async function timed(reads: Reads, read: () => Promise<number>): Promise<void> {
  const beganAt = performance.now()
  const readings = await read()
  reads.latencyNs.record(Math.max(Math.round((performance.now() - beganAt) * NS_PER_MS), 1))
  reads.readings += readings
  if (readings === 0) reads.empty += 1
}

async function readUnit(db: Database, unitId: number): Promise<number> {
  const found = await db.select({ id: devices.id }).from(devices).where(eq(devices.unitId, unitId))
  return readDevices(
    db,
    found.map(({ id }) => id),
  )
}

async function readDevices(db: Database, ids: readonly number[]): Promise<number> {
  const { deviceId, recordedAt, temperature, humidity } = sensorReadings
  const rows = await db
    .select({ deviceId, recordedAt, temperature, humidity })
    .from(sensorReadings)
    .where(and(inArray(deviceId, [...ids]), gte(recordedAt, new Date(Date.now() - DAY_MS))))
    .orderBy(asc(recordedAt))
  return rows.length
}
