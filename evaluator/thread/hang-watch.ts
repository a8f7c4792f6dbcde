/** A thread that is silent for so long is busy at most; so is one that loads for so long, on a machine that has much else to do. */
const BUSY_MS_MAX = 10_000
const LOADING_MS_MAX = 60_000

interface HangLimits {
  lookMs: number
  hungAfterMs: number
  /** The same of one that has not beaten yet. */
  loadMsMax: number
}

/**
 * Tells from the beats of a thread whether it has hung: computes without an end, as what it waits for has limits of its own. It is
 * looked at every `lookMs`, and only looks count: while all of the process stands still (SIGSTOP, a suspended machine) there are none.
 */
export class HangWatch {
  readonly #limits: HangLimits
  /** 0 while it loads. */
  #beats = 0
  #silentLooks = 0

  constructor(limits: HangLimits) {
    this.#limits = limits
  }

  get #silentMs(): number {
    return this.#silentLooks * this.#limits.lookMs
  }

  get #silentMsMax(): number {
    return this.#beats === 0 ? this.#limits.loadMsMax : this.#limits.hungAfterMs
  }

  /** Takes note of how often it has beaten, 0 while it loads. Returns whether it has hung; then it counts anew. */
  look(beats: number): boolean {
    this.#silentLooks = beats === this.#beats ? this.#silentLooks + 1 : 0
    this.#beats = beats
    if (this.#silentMs < this.#silentMsMax) return false
    this.#silentLooks = 0
    return true
  }

  /** What an operator is told. */
  notices(): string[] {
    const isLoading = this.#beats === 0
    const normalMs = isLoading ? LOADING_MS_MAX : BUSY_MS_MAX
    if (this.#silentMs <= Math.min(normalMs, this.#silentMsMax / 2)) return []
    const [silent, most] = [this.#silentMs, this.#silentMsMax].map((ms) => Math.round(ms / 1_000))
    const how = isLoading ? `has been loading for ${silent} s` : `has not answered for ${silent} s`
    return [
      `nothing is evaluated: the evaluator's thread ${how}. After ${most} s it is ended, and started again`,
    ]
  }
}
