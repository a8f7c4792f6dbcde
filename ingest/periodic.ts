/** Runs a task at intervals, never twice at once; the task must not throw. */
export class Periodic {
  readonly #task: () => Promise<void>
  readonly #everyMs: number
  #timer: NodeJS.Timeout | undefined
  #running: Promise<void> | undefined

  constructor(everyMs: number, task: () => Promise<void>) {
    this.#everyMs = everyMs
    this.#task = task
  }

  start(): void {
    this.#timer = setInterval(() => {
      // While the database hangs, one attempt is enough.
      this.#running ??= this.#task().finally(() => {
        this.#running = undefined
      })
    }, this.#everyMs)
  }

  /** Runs it a last time, if it was ever started, behind a run that is under way. */
  async stop(): Promise<void> {
    if (this.#timer === undefined) return
    clearInterval(this.#timer)
    await this.#running
    await this.#task()
  }
}
