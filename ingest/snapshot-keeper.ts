import type { Logger } from 'pino'
import type { RegistryContents } from './registry-snapshot.ts'
import { type SnapshotPlace, writeSnapshot } from './snapshot-file.ts'

export interface SnapshotKeeperOptions {
  place: SnapshotPlace
  log: Logger
  /** What is known now. */
  contents: () => RegistryContents
  /** From the end of one write to the begin of the next, at least. */
  gapMs: number
}

/**
 * Writes the snapshot in the background when the registry has changed. Modes:
 * - `idle`: the file is as new as the registry. Left for `due` by `changed`.
 * - `due`: something has changed; a write begins when the gap since the last one is over. Left for `writing`.
 * - `writing`: left for `idle`, or for `due` when it failed or something has changed meanwhile.
 * - `stopped`: no further write begins.
 */
export class SnapshotKeeper {
  readonly #options: SnapshotKeeperOptions
  #mode: 'idle' | 'due' | 'writing' | 'stopped' = 'idle'
  #hasChanged = false
  #isFailing = false
  #notBeforeMs = 0
  #timer: NodeJS.Timeout | undefined
  #writing: Promise<void> | undefined

  constructor(options: SnapshotKeeperOptions) {
    this.#options = options
  }

  changed(): void {
    this.#hasChanged = true
    if (this.#mode === 'idle') this.#becomeDue()
  }

  /** Writes what is not written yet. */
  async stop(): Promise<void> {
    clearTimeout(this.#timer)
    this.#mode = 'stopped'
    await this.#writing
    if (this.#hasChanged) await this.#write()
  }

  #becomeDue(): void {
    this.#mode = 'due'
    const delayMs = Math.max(0, this.#notBeforeMs - performance.now())
    this.#timer = setTimeout(() => {
      this.#mode = 'writing'
      this.#writing = this.#write().then(() => this.#written())
    }, delayMs)
  }

  #written(): void {
    this.#notBeforeMs = performance.now() + this.#options.gapMs
    if (this.#mode === 'stopped') return
    this.#mode = 'idle'
    if (this.#hasChanged) this.#becomeDue()
  }

  /** One line when writing begins to fail, one when it works again. */
  async #write(): Promise<void> {
    const { place, contents, log } = this.#options
    this.#hasChanged = false
    try {
      await writeSnapshot(place, contents())
      if (this.#isFailing) log.info('the snapshot of devices and log-ins is written again')
      this.#isFailing = false
    } catch (error) {
      this.#hasChanged = true
      if (!this.#isFailing)
        log.warn(
          { err: error },
          `${place.path} is not written: a start without the database would know devices and log-ins as of before`,
        )
      this.#isFailing = true
    }
  }
}
