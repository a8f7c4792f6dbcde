import { isOfTheClock } from './apply-inputs.ts'
import { isRaised, isStateOf } from './core/device.ts'
import { type DeviceContext, OPEN_END_MS, type UnitContext } from './unit-context.ts'

/** While the evaluator is behind, what has come late is folded again so often at most. */
const WAIT_MS = 5_000
/** And so many times as long as that took is left to catching up. */
const RESTS = 3

/** What of that which came late is not folded now. */
export type Waits = 'nothing' | 'what may wait' | 'all'

/**
 * What comes late while the evaluator reads what it has missed waits until that is done, or a while. A refold reads up to the newest
 * row: what the ledger has still to show of its device comes late again, and would have it folded with every page. What may not wait,
 * because of its alert, is folded with its page, as long as there is time for all of that; where there is not, it waits too.
 *
 * - on, from the first full page of the ledger;
 * - due, every few seconds: what waits is folded with the next look of the clock, which finds all of it;
 * - off, when the ledger has been read to its end: what waits is folded at once.
 */
export class Deferral {
  /** By `performance.now()`; undefined: it is off. */
  #dueAtMs: number | undefined
  /** The time for what came late was not enough: all of it waits until it is due. */
  #isShort = false

  get isOn(): boolean {
    return this.#dueAtMs !== undefined
  }

  get waits(): Waits {
    if (!this.isOn) return 'nothing'
    return this.#isShort ? 'all' : 'what may wait'
  }

  get isDue(): boolean {
    return performance.now() >= (this.#dueAtMs ?? Infinity)
  }

  begin(): void {
    this.#dueAtMs ??= performance.now() + WAIT_MS
  }

  /** What came late had so much time as it may have, with a page: `tookMs`. It is made up for before anything is due. */
  noteSpent(tookMs: number): void {
    if (this.#dueAtMs === undefined) return
    this.#isShort = true
    this.#dueAtMs = Math.max(this.#dueAtMs, performance.now() + tookMs * RESTS)
  }

  /** What was due had its turn. `startedAtMs`: by `performance.now()`; `isSpent`: there was no more time for it. */
  folded({ startedAtMs, isSpent }: { startedAtMs: number; isSpent: boolean }): void {
    const nowMs = performance.now()
    this.#dueAtMs = nowMs + Math.max(WAIT_MS, (nowMs - startedAtMs) * RESTS)
    this.#isShort = isSpent
  }

  /** Returns whether it was on. */
  end(): boolean {
    const wasOn = this.isOn
    this.#dueAtMs = undefined
    this.#isShort = false
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

/** Whether what came late for a device is not folded now. */
export function isWaiting(unit: UnitContext, device: DeviceContext, waits: Waits): boolean {
  return waits === 'all' || (waits === 'what may wait' && mayWait(unit, device))
}
