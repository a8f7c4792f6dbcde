import type { BenchServer } from './database/server.ts'

/** What the measurements of one run share. */
export interface BenchContext {
  server: BenchServer
  /** Measured for so long, after a warm-up. */
  seconds: number
  warmUpSeconds: number
  /** Each measurement is repeated so often, in turns with the others. */
  rounds: number
  /** Rows of one raw COPY. */
  rawRows: number
  /** Old readings that hubs drain, in workload backfill. */
  backlogRows: number
  /** Readings stored before, where a workload is about that. */
  rows: number
  /** Devices of the large fleet of growth. */
  devices: number
  /** Settings of the service that differ from its defaults. */
  serviceSettings: Record<string, string>
  /** Ends what was opened, the latest first, also after Ctrl-C. */
  resources: AsyncDisposableStack
  /** A line for whoever waits. */
  progress(text: string): void
  /** About once a second while a load runs; absent where nobody watches. */
  onLoad?: (now: LoadNow) => void
}

/** How a load goes just now. */
export interface LoadNow {
  readingsPerSecond: number
  /** Until the last send. */
  secondsLeft: number
}

/** What hubs send in a workload. */
export interface LoadShape {
  name: string
  connections: number
  readingsPerMessage: number
  /** Of all connections. */
  devices: number
  /** Messages of one connection that wait for their PUBACK. */
  inFlightMax: number
}
