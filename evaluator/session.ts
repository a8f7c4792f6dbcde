import { batchRows } from '../db/evaluation/batch-rows.ts'
import type { LedgerCursor } from '../db/evaluation/cursor.ts'
import type { EpisodeRange } from '../db/evaluation/episodes.ts'
import type { LedgerBatch } from '../db/evaluation/ledger-page.ts'
import { beforeWrite } from './before-write.ts'
import { ClockLooks } from './clock-looks.ts'
import { Deferral, type Waits } from './deferral.ts'
import { FleetMemory } from './fleet-memory.ts'
import { Found } from './found.ts'
import type { HandedBatch } from './hand-over.ts'
import { HeardTo } from './heard-to.ts'
import { HubHorizons } from './hub-horizons.ts'
import { Intake } from './intake.ts'
import { hasLate, LateRefolds } from './late-refolds.ts'
import { LedgerReader } from './ledger-reader.ts'
import { restAfter } from './rest.ts'
import { inRounds } from './rounds.ts'
import { isDueByClock, judgeByClock } from './session-clock.ts'
import type { SessionOptions } from './session-options.ts'
import { SessionWriter } from './session-writer.ts'
import { SetAside } from './set-aside.ts'
import { inSlices } from './slices.ts'
import type { UnitContext } from './unit-context.ts'
import { Unproven } from './unproven.ts'
import { isAnyUnknown, storedWork, type Work } from './work.ts'

/**
 * The evaluator's memory between two failures: units, states, and how far the ledger is read. What it holds follows from the
 * rows, so whoever is in doubt throws it away and opens another one. One turn at a time.
 */
export class Session {
  readonly #options: SessionOptions
  readonly #memory: FleetMemory
  readonly #ledger: LedgerReader
  readonly #horizons = new HubHorizons()
  readonly #heardTo = new HeardTo()
  readonly #aside: SetAside
  readonly #clock: ClockLooks
  readonly #writer: SessionWriter
  readonly #intake: Intake
  readonly #refolds: LateRefolds
  readonly #deferral = new Deferral()
  readonly #found = new Found()
  #old = new Set<UnitContext>()
  readonly #unproven: Unproven
  #nextReadMs = 0
  #isBehind = true

  static async open(options: SessionOptions, cursor: LedgerCursor): Promise<Session> {
    options.reads.beginTurn()
    const memory = new FleetMemory({
      ...options,
      nowMs: options.now,
      onReplaced: (before, after) => session.#refolds.replaced(before, after),
    })
    await memory.load()
    const session = new Session(options, memory, cursor)
    await session.#unproven.read()
    await session.#clock.begin()
    // What is late of them has its turn when the clock is looked at.
    for (const unit of memory.units.values()) session.#horizons.open(unit)
    return session
  }

  private constructor(options: SessionOptions, memory: FleetMemory, cursor: LedgerCursor) {
    this.#options = options
    this.#memory = memory
    this.#ledger = new LedgerReader(cursor, options.settings.EVALUATOR_PAGE_ROWS_MAX, { now: options.now })
    this.#aside = new SetAside({ ...options, memory, onClosed: (unitId) => this.#forget(unitId) })
    this.#clock = new ClockLooks(options, { memory, horizons: this.#horizons, aside: this.#aside })
    this.#writer = new SessionWriter(options, { cursor, aside: this.#aside })
    this.#intake = new Intake({
      ...options,
      units: memory.units,
      horizons: this.#horizons,
      aside: this.#aside,
      isDeferring: () => this.#deferral.isOn,
      onTouched: (unit) => this.#found.touched.add(unit),
    })
    this.#unproven = new Unproven(options.reads.untilAnswered)
    this.#refolds = new LateRefolds({
      ...options,
      aside: this.#aside,
      onPage: () => this.#writer.holdLease(),
    })
  }

  /** Judges what has come and what the clock makes due, and commits what that changes. Returns whether there is more at once. */
  async turn(): Promise<boolean> {
    const { handOver, now, reads } = this.#options
    reads.beginTurn()
    await this.#writer.holdLease()
    const handed = handOver.take()
    const handedToMs = now() - handOver.waitedMs
    await this.#applyHanded(handed)
    this.#heardTo.noteHanded(handedToMs)
    // News without a batch is in the ledger. It would show what waits for its turn, too.
    const waitMs = handOver.ledgerWaitMs
    if (performance.now() >= this.#nextReadMs + waitMs || (handed.length === 0 && waitMs === 0)) {
      await this.#readLedger()
    }
    const nowMs = now()
    const isTick = this.#clock.isDue
    const isFoldDue = isTick && this.#deferral.isDue
    const waits = isFoldDue ? 'nothing' : this.#deferral.waits
    if (isTick) await this.#tick(nowMs, waits)
    const startedAtMs = performance.now()
    const hasTried = await this.#settle({ waits })
    if (isFoldDue && hasTried) this.#deferral.folded({ startedAtMs, isSpent: reads.isTurnSpent })
    await this.#write({ nowMs, isTick })
    // What is live comes before what may take long once more.
    if (reads.timeouts === 0) await this.#retryAside(nowMs)
    if (reads.timeouts === 0) await this.#foldOld(nowMs)
    return this.#isBehind || this.#writer.isSaving
  }

  notices(): string[] {
    return this.#aside.notices()
  }

  /** Stores what is only in memory. */
  async end(): Promise<void> {
    await this.#write({ nowMs: this.#options.now(), isEnd: true })
  }

  async #applyHanded(handed: readonly HandedBatch[]): Promise<void> {
    const { handOver, utilization } = this.#options
    const fresh = handed.filter(({ id }) => this.#ledger.takeHanded(id))
    for (const { committedAtMs } of fresh) this.#writer.noteCommitted(committedAtMs)
    for (const work of inSlices(fresh, () => this.#memory.offsets)) {
      const startedAtMs = performance.now()
      await this.#apply(work)
      const beside = { utilization: utilization(), isBehind: handOver.isCrowded, isArriving: true, lagMs: 0 }
      await restAfter(startedAtMs, beside)
    }
  }

  async #readLedger(): Promise<void> {
    const { metrics, now, handOver, reads, settings } = this.#options
    const news = await this.#ledger.next(reads.untilAnswered, (id) => handOver.isAwaited(id))
    const ageMs = news.oldestCommittedAtMs === null ? 0 : Math.max(0, now() - news.oldestCommittedAtMs)
    metrics.lagSeconds.set(ageMs / 1_000)
    this.#noteDropped()
    this.#isBehind = news.isFull
    // What is hidden from the cursor may be hours of the past: what is live does not wait for it.
    const isMissing = news.isFull && !news.isHeldBack
    if (isMissing) this.#deferral.begin()
    if (isMissing && news.batches.length > 0) handOver.close()
    // What is read next was committed later.
    this.#heardTo.noteLedger(news.oldestCommittedAtMs ?? -Infinity)
    if (news.batches.length > 0) await this.#readBatches(news.batches, ageMs)
    this.#heardTo.noteLedger(news.heardToMs)
    if (!isMissing) this.#caughtUp()
    this.#nextReadMs = performance.now() + settings.EVALUATOR_POLL_MS
  }

  #caughtUp(): void {
    this.#options.handOver.open(this.#ledger.shownId)
    if (!this.#deferral.end()) return
    for (const unit of this.#memory.units.values()) if (hasLate(unit)) this.#found.touched.add(unit)
  }

  async #readBatches(batches: readonly LedgerBatch[], lagMs: number): Promise<void> {
    const { reads, utilization } = this.#options
    const startedAtMs = performance.now()
    this.#writer.noteCommitted(startedAtMs - lagMs)
    await this.#apply(storedWork(await reads.untilAnswered((client) => batchRows(client, batches))))
    if (!this.#isBehind) return
    const isArriving = this.#noteDropped() > 0
    await restAfter(startedAtMs, { utilization: utilization(), isBehind: true, isArriving, lagMs })
  }

  /** Batches that were left to the ledger since the last look. */
  #noteDropped(): number {
    const { handOver, metrics } = this.#options
    const dropped = handOver.takeDropped()
    metrics.handOverDropped.inc(dropped)
    return dropped
  }

  async #apply(work: Work): Promise<void> {
    this.#aside.sift(work)
    // A hub may send as soon as its fleet is applied: what it speaks of is configured, though not yet known here.
    if (isAnyUnknown(work, this.#memory.units)) await this.#refresh()
    await inRounds(work, {
      take: (unitId, arrivals) => this.#intake.take(unitId, arrivals),
      write: async (held) => {
        await this.#settle({ held, waits: this.#deferral.waits })
        await this.#write({ nowMs: this.#options.now(), isRound: true })
      },
    })
  }

  async #refresh(): Promise<void> {
    for (const unit of await this.#memory.refresh()) {
      this.#clock.open(unit)
      this.#horizons.open(unit)
      this.#found.touched.add(unit)
    }
    this.#found.forgetReplaced(this.#memory.units)
  }

  async #tick(nowMs: number, waits: Waits): Promise<void> {
    await this.#refresh()
    const heardToMs = this.#heardTo.ms
    const { units, late, old, ranges, hubs, unitFacts } = await this.#clock.look({ nowMs, heardToMs })
    this.#old = new Set(old)
    this.#options.metrics.old.set(old.length)
    this.#options.metrics.late.set(late.length)
    for (const unit of [...units, ...this.#refolds.next(late, waits)]) this.#found.touched.add(unit)
    this.#found.ranges.push(...ranges)
    this.#found.hubs.push(...this.#aside.hubsDue(hubs))
    this.#found.unitFacts.push(...unitFacts)
    // Only now what the clock finds has its turn: rounds may have used up the time of each one.
    this.#options.reads.beginPart()
  }

  /** Refolds and doors of the units of this turn. `held`: messages whose turn is still to come. Returns whether a refold was tried. */
  async #settle({ held, waits }: { held?: Work; waits: Waits }): Promise<boolean> {
    const due = [...this.#found.touched].filter((unit) => hasLate(unit) || isDueByClock(unit))
    for (const unit of await this.#refolds.prepare(due, waits)) {
      await this.#writer.holdLease()
      this.#found.ranges.push(...(await this.#refolds.run(unit, held?.get(unit.config.unitId) ?? [])))
      const judged = this.#aside.guard(unit, () => judgeByClock(unit, this.#horizons, this.#heardTo.ms))
      if (judged) this.#found.ranges.push(...judged)
    }
    const { isTurnSpent, spentMs } = this.#options.reads
    if (waits !== 'nothing' && isTurnSpent) this.#deferral.noteSpent(spentMs)
    return this.#refolds.settled()
  }

  async #write(kind: { nowMs: number; isTick?: boolean; isEnd?: boolean; isRound?: boolean }): Promise<void> {
    const { nowMs, isTick = false, isEnd = false, isRound = false } = kind
    const heardToMs = this.#heardTo.isKnown ? this.#heardTo.ms : undefined
    const found = this.#found
    const { statuses, isPageDue } = beforeWrite(found.touched, this.#aside, { nowMs, heardToMs })
    const touched = [...found.touched]
    const written = await this.#writer.write({
      touched,
      ranges: found.ranges,
      unitFacts: found.unitFacts,
      hubs: found.hubs,
      scopes: touched.flatMap(({ config }) => this.#unproven.ofUnit(config.unitId)),
      statuses,
      cursor: this.#ledger.cursor,
      newestId: this.#ledger.newestId,
      nowMs,
      isTick,
      isEnd,
      isRound,
      isPageDue,
    })
    found.clear()
    await this.#unproven.noteWritten(written)
  }

  /** By itself: what is refused again is refused to it alone. */
  async #retryAside(nowMs: number): Promise<void> {
    this.#options.reads.beginTurn()
    const unit = await this.#aside.reopen()
    if (!unit) return
    this.#clock.open(unit)
    this.#horizons.open(unit)
    this.#found.touched.add(unit)
    await this.#settle({ waits: 'nothing' })
    await this.#write({ nowMs, isRound: true })
    if (!this.#aside.has(unit.config.unitId)) this.#aside.back(unit)
  }

  /** What is very old comes behind all that is live: one unit a turn. */
  async #foldOld(nowMs: number): Promise<void> {
    const unit = this.#refolds.nextOld(this.#old)
    if (!unit) return
    this.#old.delete(unit)
    // It was set aside, or is configured otherwise by now.
    if (this.#memory.units.get(unit.config.unitId) !== unit) return
    this.#found.touched.add(unit)
    this.#options.reads.beginTurn()
    this.#found.ranges.push(...(await this.#refolds.runOld(unit)))
    await this.#write({ nowMs, isRound: true })
  }

  /** A unit was set aside: what of it is not written is judged again when it is back. */
  #forget(unitId: number): EpisodeRange[] {
    this.#writer.forget(unitId)
    this.#clock.forget(unitId)
    return this.#found.forget(unitId)
  }
}
