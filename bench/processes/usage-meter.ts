import { residentBytesOf } from './usage.ts'

/** CPU seconds so far of each side of a measurement; undefined where the system does not tell. */
export type Sides = Record<string, () => number | undefined>

export interface Usage {
  /** Cores that each side kept busy: CPU seconds a second. */
  cores: Record<string, number>
  /** The most resident memory that the watched process had, bytes. */
  residentBytesMax: number | undefined
}

const SAMPLE_MS = 200

/** Measures from now until `end`; `watchPid` is the process whose memory is watched. */
export function startUsage(sides: Sides, watchPid?: number): { end(): Usage } {
  const startedAt = performance.now()
  const before = Object.entries(sides).map(([name, read]) => ({ name, read, seconds: read() }))
  let residentBytesMax: number | undefined
  const sample = () => {
    const bytes = watchPid === undefined ? undefined : residentBytesOf(watchPid)
    if (bytes !== undefined) residentBytesMax = Math.max(bytes, residentBytesMax ?? 0)
  }
  const timer = setInterval(sample, SAMPLE_MS)
  return {
    end: () => {
      clearInterval(timer)
      sample()
      const elapsed = (performance.now() - startedAt) / 1_000
      const cores = before.flatMap(({ name, read, seconds }) => {
        const now = read()
        return seconds === undefined || now === undefined ? [] : [[name, (now - seconds) / elapsed] as const]
      })
      return { cores: Object.fromEntries(cores), residentBytesMax }
    },
  }
}
