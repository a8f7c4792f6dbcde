import type { Logger } from 'pino'
import type { BrokerSettings } from './config.ts'
import type { Connections } from './connections.ts'
import type { BrokerCounters } from './counters.ts'
import type { ConnectionGate } from './gate.ts'
import type { HeldBytes } from './held-bytes.ts'
import type { Clock, Intake } from './intake.ts'
import type { LeakyBuckets } from './leaky-buckets.ts'
import type { LockOut } from './lock-out.ts'
import type { LogLimit } from './log-limit.ts'
import type { Takeovers } from './takeovers.ts'
import type { Authenticate, StillValid } from './types.ts'

/** What the hooks work with. */
export interface HookParts {
  settings: BrokerSettings
  counters: BrokerCounters
  connections: Connections
  gate: ConnectionGate
  intake: Intake
  held: HeldBytes
  lockOut: LockOut
  takeovers: Takeovers
  /** Log-ins of each hub. */
  flapping: LeakyBuckets
  authenticate: Authenticate
  stillValid: StillValid
  clock: Clock
  log: Logger
  logLimit: LogLimit
}
