/**
 * Up to when all that was committed has been judged: the clock must not judge beyond it, or a device whose reading waits to be read
 * would count as silent, and a door whose close waits as open. While the evaluator keeps up that is the beginning of the turn. Epoch
 * milliseconds.
 */
export class HeardTo {
  #handedMs = -Infinity
  #ledgerMs = -Infinity
  /** It does not go back: what was found must not be taken back for a look at an earlier time. */
  ms = -Infinity

  /** All that was handed over by then is judged. */
  noteHanded(toMs: number): void {
    this.#handedMs = toMs
    this.#note()
  }

  /** All that the ledger has of what was committed by then is judged. */
  noteLedger(toMs: number): void {
    this.#ledgerMs = Math.max(this.#ledgerMs, toMs)
    this.#note()
  }

  get isKnown(): boolean {
    return this.ms > -Infinity
  }

  #note(): void {
    this.ms = Math.max(this.ms, Math.min(this.#handedMs, this.#ledgerMs))
  }
}
