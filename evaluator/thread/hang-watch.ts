/** A thread that is silent for so long is busy at most. */
const BUSY_MS_MAX = 10_000

/**
 * Tells from the beats of a thread whether it has hung: computes without an end, as what it waits for has limits of its own. It is
 * looked at every `lookMs`, and only looks count: while all of the process stands still (SIGSTOP, a suspended machine) there are none.
 */
export class HangWatch {
  readonly #lookMs: number
  readonly #hungAfterMs: number
  #beats = 0
  #silentLooks = 0

  constructor({ lookMs, hungAfterMs }: { lookMs: number; hungAfterMs: number }) {
    this.#lookMs = lookMs
    this.#hungAfterMs = hungAfterMs
  }

  get #silentMs(): number {
    return this.#silentLooks * this.#lookMs
  }

  /** Takes note of how often it has beaten, 0 while it loads. Returns whether it has hung; then it counts anew. */
  look(beats: number): boolean {
    this.#silentLooks = beats === 0 || beats !== this.#beats ? 0 : this.#silentLooks + 1
    this.#beats = beats
    if (this.#silentMs < this.#hungAfterMs) return false
    this.#silentLooks = 0
    return true
  }

  /** What an operator is told. */
  notices(): string[] {
    if (this.#silentMs <= Math.min(BUSY_MS_MAX, this.#hungAfterMs / 2)) return []
    const [silent, most] = [this.#silentMs, this.#hungAfterMs].map((ms) => Math.round(ms / 1_000))
    return [
      `nothing is evaluated: the evaluator's thread has not answered for ${silent} s. After ${most} s it is ended, and started again`,
    ]
  }
}
