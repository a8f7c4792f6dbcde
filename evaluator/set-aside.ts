import type { EpisodeRange } from '../db/evaluation/episodes.ts'
import type { LateMark } from '../db/evaluation/late-marks.ts'
import type { Listening } from './core/silence.ts'
import type { FleetMemory } from './fleet-memory.ts'
import type { HubFacts } from './hub-outages.ts'
import type { EvaluatorMetrics } from './metrics.ts'
import { isOfDevice, isTimeout } from './refusals.ts'
import { OPEN_END_MS, type UnitContext } from './unit-context.ts'
import type { Arrival, Work } from './work.ts'

const RETRY_FIRST_MS = 1_000
const RETRY_MAX_MS = 60_000
/** Where so many are refused at once, it is not they that are at fault. */
const ASIDE_MAX = 1_000
/** Units that a notice names. */
const NAMED_MAX = 5

const PAGES = 'the pages of alerts that go on'

/** What is tried again, and when. */
interface Retry {
  delayMs: number
  /** By `performance.now()`. */
  notBeforeMs: number
}

interface UnitAside extends Retry {
  /** From when on each device has to be judged again, at the latest from what is stored of it on. */
  fromMs: Map<number, number>
  isMarked: boolean
  /** By what its devices were listened to: what runs under these rules goes on meanwhile. */
  listenings: readonly Listening[]
}

interface SetAsideOptions {
  memory: Pick<FleetMemory, 'units' | 'close' | 'reopen'>
  metrics: Pick<EvaluatorMetrics, 'setAside'>
  /** Forgets what of a unit waits to be written; returns what of it was judged anew. */
  onClosed: (unitId: number) => readonly EpisodeRange[]
  /** Told of what is set aside for the first time, by its name. */
  onSetAside: (subject: string, error: unknown) => void
  onBack: (subject: string) => void
}

/**
 * Units that cannot be judged, or of which the database refuses what was found: they must not hold up the others. One is
 *
 * - set aside, at its first error: its context is forgotten, what arrives for it is only noted;
 * - marked, with the next move of the cursor: its stored states say how far back they must be folded again, so that a restart
 *   forgets nothing of it;
 * - reopened, after a second, then ever later up to a minute: read from the database and judged as if all since had come late.
 *   It is one of the others again once it is written; else it is set aside again.
 */
export class SetAside {
  readonly #options: SetAsideOptions
  readonly #units = new Map<number, UnitAside>()
  /** Reopened, and not written yet. */
  readonly #trying = new Map<number, UnitAside>()
  readonly #hubs = new Map<number, Retry & { said: HubFacts }>()
  /** With the unit in which each could not be folded. */
  readonly #devices = new Map<number, number>()
  #pages: Retry | undefined
  /** Until then no unit is opened again: one has taken too long, and all that is live has waited for it. */
  #restUntilMs = -Infinity

  constructor(options: SetAsideOptions) {
    this.#options = options
  }

  has(unitId: number): boolean {
    return this.#units.has(unitId)
  }

  /** By what the devices of units that are aside were listened to. */
  listenings(): Listening[] {
    return [...this.#units.values()].flatMap((aside) => aside.listenings)
  }

  /** What an operator is told. */
  notices(): string[] {
    const count = this.#size
    if (count === 0) return []
    const named = [...this.#names().take(NAMED_MAX)].join(', ')
    const more = count > NAMED_MAX ? ` and ${count - NAMED_MAX} more` : ''
    return [`not evaluated, and tried again every minute: ${named}${more}; the log says why`]
  }

  get #size(): number {
    const { size } = this.#units
    return size + this.#trying.size + this.#hubs.size + this.#devices.size + (this.#pages ? 1 : 0)
  }

  *#names(): Generator<string> {
    for (const id of this.#units.keys()) yield `unit ${id}`
    for (const id of this.#trying.keys()) yield `unit ${id}`
    for (const id of this.#hubs.keys()) yield `hub ${id}`
    for (const id of this.#devices.keys()) yield `device ${id}`
    if (this.#pages) yield PAGES
  }

  /** Does what concerns one unit alone. Where it throws, the unit is set aside. */
  guard<T>(unit: UnitContext, work: () => T): T | undefined {
    try {
      return work()
    } catch (error) {
      this.setAside(unit.config.unitId, error)
      return undefined
    }
  }

  /** Throws the error where too many are set aside. */
  setAside(unitId: number, error: unknown): void {
    const { memory, onClosed, onSetAside } = this.#options
    if (this.#units.has(unitId)) return
    if (this.#units.size >= ASIDE_MAX) throw error
    const before = this.#trying.get(unitId)
    this.#trying.delete(unitId)
    const devices = [...(memory.units.get(unitId)?.devices.values() ?? [])]
    const aside: UnitAside = {
      ...retryOf(before),
      fromMs: before?.fromMs ?? new Map(),
      isMarked: false,
      listenings: devices.map(({ listening }) => listening),
    }
    this.#units.set(unitId, aside)
    for (const { config, late, old } of devices) {
      lower(aside, config.deviceId, Math.min(late?.fromMs ?? OPEN_END_MS, old?.fromMs ?? OPEN_END_MS))
    }
    memory.close(unitId)
    for (const { kind, deviceId, afterMs } of onClosed(unitId)) {
      if (kind === 'readings') lower(aside, deviceId, afterMs)
    }
    this.#restAfter(error)
    if (!before) onSetAside(`unit ${unitId}`, error)
    this.#count()
  }

  #restAfter(error: unknown): void {
    if (isTimeout(error)) this.#restUntilMs = performance.now() + RETRY_MAX_MS
  }

  /** Takes away what has come for units that are aside: it is read again with all of theirs. */
  sift(work: Work): void {
    for (const unitId of this.#units.keys()) {
      if (this.note(unitId, work.get(unitId) ?? [])) work.delete(unitId)
    }
  }

  /** Takes note of what has come for a unit, if it is aside. Returns whether it is. */
  note(unitId: number, arrivals: readonly Arrival[]): boolean {
    const aside = this.#units.get(unitId)
    if (!aside) return false
    for (const { readings, doors } of arrivals) {
      for (const { deviceId, atMs } of readings) lower(aside, deviceId, atMs)
      // By the doors, any of its devices may be judged otherwise.
      for (const { atMs } of doors) for (const deviceId of aside.fromMs.keys()) lower(aside, deviceId, atMs)
    }
    return true
  }

  /** What is to be stored before the cursor may go on. */
  marks(): LateMark[] {
    return [...this.#units].flatMap(([unitId, { fromMs, isMarked }]) =>
      isMarked ? [] : [...fromMs].map(([deviceId, from]) => ({ unitId, deviceId, fromMs: from })),
    )
  }

  /** What `marks` said is stored. */
  marked(): void {
    for (const aside of this.#units.values()) aside.isMarked = true
  }

  /** The next unit that is due; undefined: none, or it is no more, or cannot be read. Its states are folded again with the next turn. */
  async reopen(): Promise<UnitContext | undefined> {
    if (performance.now() < this.#restUntilMs) return undefined
    const due = [...this.#units].find(([, { notBeforeMs }]) => performance.now() >= notBeforeMs)
    if (!due) return undefined
    const [unitId, aside] = due
    // At the end, so that one that cannot be read does not keep the others from their try.
    this.#units.delete(unitId)
    this.#units.set(unitId, { ...aside, ...retryOf(aside) })
    const unit = await this.#reopened(unitId, aside.fromMs)
    if (unit === 'unreadable') return undefined
    this.#units.delete(unitId)
    if (unit) this.#trying.set(unitId, aside)
    this.#count()
    return unit
  }

  async #reopened(
    unitId: number,
    fromMs: ReadonlyMap<number, number>,
  ): Promise<UnitContext | 'unreadable' | undefined> {
    try {
      return await this.#options.memory.reopen(unitId, fromMs)
    } catch (error) {
      if (!isOfDevice(error)) throw error
      this.#restAfter(error)
      return 'unreadable'
    }
  }

  /** A unit that was reopened is written. */
  back({ config: { unitId } }: UnitContext): void {
    if (!this.#trying.delete(unitId)) return
    this.#options.onBack(`unit ${unitId}`)
    this.#count()
  }

  /** What is said of a hub is refused: it is kept, and said again when it is due, unless there is something newer. */
  setHubAside(said: HubFacts, error: unknown): void {
    const before = this.#hubs.get(said.hubId)
    this.#hubs.set(said.hubId, { ...retryOf(before), said })
    if (!before) this.#options.onSetAside(`hub ${said.hubId}`, error)
    this.#count()
  }

  /** What is to be said of hubs now: news, and what was refused before. */
  hubsDue(news: readonly HubFacts[]): HubFacts[] {
    const due = new Map(news.map((said) => [said.hubId, said]))
    for (const [hubId, { said, notBeforeMs }] of this.#hubs) {
      if (!due.has(hubId) && performance.now() >= notBeforeMs) due.set(hubId, said)
    }
    return [...due.values()]
  }

  /** What came late for a device cannot be folded: its readings are not judged until it can. */
  setDeviceAside({ unitId, deviceId }: { unitId: number; deviceId: number }, error: unknown): void {
    if (!this.#devices.has(deviceId)) this.#options.onSetAside(`device ${deviceId}`, error)
    this.#devices.set(deviceId, unitId)
    this.#count()
  }

  deviceBack(deviceId: number): void {
    if (!this.#devices.delete(deviceId)) return
    this.#options.onBack(`device ${deviceId}`)
    this.#count()
  }

  /** Forgets devices that their units have no more: nothing of them is folded. */
  forgetGone(): void {
    for (const [deviceId, unitId] of this.#devices) {
      const isThere = this.#options.memory.units.get(unitId)?.devices.has(deviceId)
      if (!isThere && !this.#units.has(unitId)) this.#devices.delete(deviceId)
    }
    this.#count()
  }

  /** The pages of alerts of which nothing has changed are refused: they are planned again later. */
  setPagesAside(error: unknown): void {
    if (!this.#pages) this.#options.onSetAside(PAGES, error)
    this.#pages = retryOf(this.#pages)
    this.#count()
  }

  arePagesDue(): boolean {
    return performance.now() >= (this.#pages?.notBeforeMs ?? -Infinity)
  }

  /** What was said of these hubs, and those pages, is written. */
  said({ hubs, isPagingAll }: { hubs: readonly HubFacts[]; isPagingAll: boolean }): void {
    for (const { hubId } of hubs) {
      if (this.#hubs.delete(hubId)) this.#options.onBack(`hub ${hubId}`)
    }
    if (isPagingAll && this.#pages) {
      this.#pages = undefined
      this.#options.onBack(PAGES)
    }
    this.#count()
  }

  #count(): void {
    this.#options.metrics.setAside.set(this.#size)
  }
}

function retryOf(before: Retry | undefined): Retry {
  const delayMs = before ? Math.min(before.delayMs * 2, RETRY_MAX_MS) : RETRY_FIRST_MS
  return { delayMs, notBeforeMs: performance.now() + delayMs }
}

/** Before the first reading that ingest takes, and a number that JSON can hold. */
const FIRST_MS = 0

function lower(aside: UnitAside, deviceId: number, fromMs: number): void {
  const known = aside.fromMs.get(deviceId)
  const next = Math.max(FIRST_MS, Math.min(known ?? OPEN_END_MS, fromMs))
  if (next === known) return
  aside.fromMs.set(deviceId, next)
  aside.isMarked = false
}
