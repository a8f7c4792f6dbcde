/**
 * Whether batches go to the database or to the spool. Modes:
 * - `closed`: the database takes batches. Left for `open` when a batch could not be committed within the hold time.
 * - `open`: the database is away; batches go to the spool. Left for `half_open` when the next probe is due.
 * - `half_open`: one batch is tried. Left for `closed` when it was committed, for `open` when not.
 * Pure: time is passed in, as milliseconds of a monotonic clock.
 */
export type GateMode = 'closed' | 'open' | 'half_open'

export interface GateOptions {
  probeFirstMs: number
  /** Probes of a database that stays away come at twice the distance each, up to this. */
  probeMaxMs: number
}

export class DatabaseGate {
  #mode: GateMode = 'closed'
  #awaySinceMs: number | undefined
  #reason: string | undefined
  #probeAtMs = 0
  #probeDelayMs = 0
  readonly #options: GateOptions

  constructor(options: GateOptions) {
    this.#options = options
  }

  get mode(): GateMode {
    return this.#mode
  }

  /** Why the database does not take batches; undefined while it does. */
  get reason(): string | undefined {
    return this.#reason
  }

  awayMs(nowMs: number): number {
    return this.#awaySinceMs === undefined ? 0 : nowMs - this.#awaySinceMs
  }

  /** A batch was not committed in time. */
  failed(nowMs: number, reason: string): void {
    this.#reason = reason
    // Batches that were under way beside the first failing one tell nothing new.
    if (this.#mode === 'open') return
    this.#probeDelayMs =
      this.#mode === 'closed'
        ? this.#options.probeFirstMs
        : Math.min(this.#probeDelayMs * 2, this.#options.probeMaxMs)
    this.#awaySinceMs ??= nowMs
    this.#probeAtMs = nowMs + this.#probeDelayMs
    this.#mode = 'open'
  }

  /** A batch was committed. One that was begun before the gate opened does not close it: the next probe does. */
  succeeded(): void {
    if (this.#mode !== 'half_open') return
    this.#mode = 'closed'
    this.#awaySinceMs = undefined
    this.#reason = undefined
  }

  /** Milliseconds until a probe is due; 0 = now. */
  probeInMs(nowMs: number): number {
    return this.#mode === 'open' ? Math.max(0, this.#probeAtMs - nowMs) : 0
  }

  /** Takes the right to probe; false while the database works, a probe is under way or none is due. */
  beginProbe(nowMs: number): boolean {
    if (this.#mode !== 'open' || nowMs < this.#probeAtMs) return false
    this.#mode = 'half_open'
    return true
  }
}
