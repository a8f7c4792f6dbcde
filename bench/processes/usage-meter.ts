import { residentBytesOf } from './usage.ts'

/** CPU seconds so far of each side of a measurement; undefined where the system does not tell. */
export type Sides = Record<string, () => number | undefined>

/** Seconds since the measurement began, and a value. */
type Sample = [seconds: number, value: number]

export interface Usage {
  /** Cores that each side kept busy: CPU seconds a second. */
  cores: Record<string, number>
  /** The same about each second. */
  coresOverTime: Record<string, Sample[]>
  /** The most resident memory that the watched process had, bytes. */
  residentBytesMax: number | undefined
  /** Its resident memory about each second, bytes. */
  residentBytesOverTime: Sample[]
}

const MEMORY_SAMPLE_MS = 200
/** Less often: for PostgreSQL it looks through all processes. */
const CPU_SAMPLE_MS = 1_000

/** Measures from now until `end`; `watchPid` is the process whose memory is watched. */
export function startUsage(sides: Sides, watchPid?: number): { end(): Usage } {
  const startedAt = performance.now()
  const seconds = () => (performance.now() - startedAt) / 1_000
  const meters = Object.entries(sides).map(([name, read]) => ({ name, ...coreMeter(read, seconds) }))
  const memory = memoryMeter(watchPid)
  const memoryTimer = setInterval(memory.look, MEMORY_SAMPLE_MS)
  const cpuTimer = setInterval(() => {
    for (const { sample } of meters) sample()
    memory.sample(seconds())
  }, CPU_SAMPLE_MS)
  return {
    end: () => {
      clearInterval(memoryTimer)
      clearInterval(cpuTimer)
      memory.look()
      const average = meters.flatMap(({ name, average }) => {
        const cores = average()
        return cores === undefined ? [] : [[name, cores] as const]
      })
      return {
        cores: Object.fromEntries(average),
        coresOverTime: Object.fromEntries(meters.map(({ name, samples }) => [name, samples])),
        residentBytesMax: memory.max,
        residentBytesOverTime: memory.samples,
      }
    },
  }
}

function coreMeter(read: () => number | undefined, seconds: () => number) {
  const first = { cpu: read(), at: seconds() }
  const samples: Sample[] = []
  let last = first
  const coresSince = (before: typeof first, now: typeof first) =>
    before.cpu === undefined || now.cpu === undefined
      ? undefined
      : (now.cpu - before.cpu) / (now.at - before.at)
  return {
    samples,
    sample: () => {
      const now = { cpu: read(), at: seconds() }
      const cores = coresSince(last, now)
      if (cores !== undefined) samples.push([now.at, cores])
      last = now
    },
    average: () => coresSince(first, { cpu: read(), at: seconds() }),
  }
}

function memoryMeter(pid: number | undefined) {
  const samples: Sample[] = []
  const meter = {
    max: undefined as number | undefined,
    samples,
    look: () => {
      const bytes = pid === undefined ? undefined : residentBytesOf(pid)
      if (bytes !== undefined) meter.max = Math.max(bytes, meter.max ?? 0)
      return bytes
    },
    sample: (at: number) => {
      const bytes = meter.look()
      if (bytes !== undefined) samples.push([at, bytes])
    },
  }
  return meter
}
