import { readUnproven } from '../db/evaluation/alert-rows.ts'
import type { EpisodeScope } from '../db/evaluation/episodes.ts'
import type { WrittenChange } from './alert-changes.ts'
import type { Read } from './reads.ts'

/** Alerts without an episode, kept while their device is still out: they are looked at again whenever something comes of their unit. */
export class Unproven {
  readonly #read: Read
  #scopes = new Map<number, EpisodeScope[]>()

  constructor(read: Read) {
    this.#read = read
  }

  ofUnit(unitId: number): readonly EpisodeScope[] {
    return this.#scopes.get(unitId) ?? []
  }

  async read(): Promise<void> {
    const stored = await this.#read(readUnproven)
    const scopes = stored.map((scope) => ({ ...scope, fromMs: Infinity }))
    this.#scopes = Map.groupBy(scopes, ({ unitId }) => unitId)
  }

  /** After a write: there may be more of them, or fewer. */
  async noteWritten(written: readonly WrittenChange[] | undefined): Promise<void> {
    if (this.#scopes.size > 0 || written?.some(({ change }) => change.kind === 'keep_unproven'))
      await this.read()
  }
}
