/** What a fault strikes; two faults at once strike different targets. */
type Target = 'service' | 'postgres' | 'database network' | 'hub network'

interface FaultKindFacts {
  target: Target
  /** How often it is drawn, against the others. */
  weight: number
  /** How long it lasts at most, or how long what was ended stays away. */
  secondsMax: number
}

/** Every fault of the soak. */
export const FAULT_KINDS = {
  /** kill -9. */
  'kill service': { target: 'service', weight: 14, secondsMax: 0.5 },
  /** kill -9, a start, and kill -9 again while it starts. */
  'kill starting service': { target: 'service', weight: 1, secondsMax: 1.5 },
  /** SIGTERM. */
  'stop service': { target: 'service', weight: 2, secondsMax: 1 },
  /** kill -9 of the postmaster. */
  'kill postgres': { target: 'postgres', weight: 14, secondsMax: 1.5 },
  /** kill -9 of one of its backends: PostgreSQL then restarts all of them. */
  'kill backend': { target: 'postgres', weight: 2, secondsMax: 0.5 },
  'stop postgres': { target: 'postgres', weight: 1, secondsMax: 3 },
  /** SIGSTOP of all its processes. */
  'freeze postgres': { target: 'postgres', weight: 1.5, secondsMax: 4 },
  'lock readings': { target: 'postgres', weight: 1, secondsMax: 4 },
  'lock ledger': { target: 'postgres', weight: 1, secondsMax: 4 },
  'reset database': { target: 'database network', weight: 1.5, secondsMax: 0 },
  /** The connections are reset after some more bytes: in the middle of a COPY. */
  'cut statements': { target: 'database network', weight: 1, secondsMax: 1 },
  /** The same towards the service: statements, COMMIT too, are carried out and their answer is lost. */
  'cut answers': { target: 'database network', weight: 1.5, secondsMax: 1 },
  /** After some more bytes nothing arrives, and no connection ends. */
  'swallow answers': { target: 'database network', weight: 1.5, secondsMax: 4 },
  'delay database': { target: 'database network', weight: 1, secondsMax: 3 },
  'cut hubs': { target: 'hub network', weight: 1.5, secondsMax: 0 },
  /** The hubs are cut off when some of their PUBACKs have arrived. */
  'cut PUBACKs': { target: 'hub network', weight: 1, secondsMax: 1 },
  'delay hubs': { target: 'hub network', weight: 0.5, secondsMax: 2 },
} as const satisfies Record<string, FaultKindFacts>

export type FaultKind = keyof typeof FAULT_KINDS

export const FAULT_NAMES = Object.keys(FAULT_KINDS) as FaultKind[]
