import { isOfTheClock } from './apply-inputs.ts'
import { isRaised, isStateOf } from './core/device.ts'
import { type DeviceContext, OPEN_END_MS, type UnitContext } from './unit-context.ts'

/** While the evaluator is behind, what has come late is folded again so often at most. */
const WAIT_MS = 5_000
/** And so many times as long as that took is left to catching up. */
const RESTS = 3

/**
 * What comes late while the evaluator reads what it has missed waits until that is done, or a while. A refold reads up to the newest
 * row: what the ledger has still to show of its device comes late again, and would have it folded with every page.
 *
 * - on, from the first full page of the ledger;
 * - due, every few seconds: what waits is folded with the next look of the clock, which finds all of it;
 * - off, when the ledger has been read to its end: what waits is folded at once.
 */
export class Deferral {
  /** By `performance.now()`; undefined: it is off. */
  #dueAtMs: number | undefined

  get isOn(): boolean {
    return this.#dueAtMs !== undefined
  }

  get isDue(): boolean {
    return performance.now() >= (this.#dueAtMs ?? Infinity)
  }

  begin(): void {
    this.#dueAtMs ??= performance.now() + WAIT_MS
  }

  /** All that was due is folded. `startedAtMs`: by `performance.now()`. */
  folded(startedAtMs: number): void {
    const nowMs = performance.now()
    this.#dueAtMs = nowMs + Math.max(WAIT_MS, (nowMs - startedAtMs) * RESTS)
  }

  /** Returns whether it was on. */
  end(): boolean {
    const wasOn = this.isOn
    this.#dueAtMs = undefined
    return wasOn
  }
}

/**
 * Whether what came late for a device may wait: it shows nothing then but what it did before. Where an alert of it runs, or an episode
 * was found that is not written, that might be told though it is not so; and a state of other rules, or of one that was set aside, says
 * nothing of the device.
 */
export function mayWait({ changed }: UnitContext, { config, state, late, judging }: DeviceContext): boolean {
  if (late?.toMs === OPEN_END_MS || isRaised(state) || !isStateOf(state, judging.unit)) return false
  for (const { deviceId, conditionType } of changed.values()) {
    if (deviceId === config.deviceId && !isOfTheClock(conditionType)) return false
  }
  return true
}
