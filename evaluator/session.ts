import { setTimeout as sleep } from 'node:timers/promises'
import type { ClientBase } from 'pg'
import { onConnection } from '../db/batches/transaction.ts'
import { readOpenHubAlerts, readUnproven } from '../db/evaluation/alert-rows.ts'
import { batchRows } from '../db/evaluation/batch-rows.ts'
import type { LedgerCursor } from '../db/evaluation/cursor.ts'
import type { EpisodeRange, EpisodeScope } from '../db/evaluation/episodes.ts'
import { readHubStates } from '../db/evaluation/hub-states.ts'
import type { LedgerBatch } from '../db/evaluation/ledger-page.ts'
import { applyArrivals, noteWritten } from './arrivals.ts'
import type { AlertFacts } from './core/types.ts'
import { FleetMemory } from './fleet-memory.ts'
import type { HandedBatch } from './hand-over.ts'
import { HubHorizons } from './hub-horizons.ts'
import { type HubFacts, HubOutages } from './hub-outages.ts'
import { hasOpenDoor, judgeDoors } from './judge-doors.ts'
import { hasLate, LateRefolds } from './late-refolds.ts'
import { LedgerReader } from './ledger-reader.ts'
import { OverdueLooks, type UnitFacts } from './overdue-looks.ts'
import { restMs } from './rest.ts'
import { inRounds } from './rounds.ts'
import { lookAtSilence, silenceRanges } from './session-clock.ts'
import type { SessionOptions } from './session-options.ts'
import { SessionWriter } from './session-writer.ts'
import { inSlices } from './slices.ts'
import { updateStatuses } from './status.ts'
import type { DeviceContext, UnitContext } from './unit-context.ts'
import { type Arrival, isAnyUnknown, rowsOf, storedWork, type Work } from './work.ts'

/** How often the clock is let judge, and changed rules are looked for. */
const TICK_MS = 1_000
/** How long the ledger is not read while batches that were handed over wait for those before them. */
const LEDGER_WAIT_MS = 1_100
/** How often manual logs and calibrations are looked at. */
const OVERDUE_MS = 5_000

/**
 * The evaluator's memory between two failures: units, states, and how far the ledger is read. What it holds follows from the
 * rows, so whoever is in doubt throws it away and opens another one. One turn at a time.
 */
export class Session {
  readonly #options: SessionOptions
  readonly #memory: FleetMemory
  readonly #ledger: LedgerReader
  readonly #horizons = new HubHorizons()
  readonly #outages = new HubOutages()
  readonly #overdue = new OverdueLooks()
  readonly #looks = new WeakMap<DeviceContext, number>()
  readonly #writer: SessionWriter
  readonly #refolds: LateRefolds
  /** Units of this turn at which something was heard or is due. */
  readonly #touched = new Set<UnitContext>()
  #ranges: EpisodeRange[] = []
  #hubs: HubFacts[] = []
  #unitFacts: UnitFacts[] = []
  #unproven = new Map<number, EpisodeScope[]>()
  #nextTickMs = 0
  #nextOverdueMs = 0
  #nextReadMs = 0
  #isBehind = true

  static async open(options: SessionOptions, cursor: LedgerCursor): Promise<Session> {
    const memory = new FleetMemory({ pool: options.pool, nowMs: options.now, onDefect: options.onDefect })
    await memory.load()
    const session = new Session(options, memory, cursor)
    await onConnection(options.pool, (client) => session.#begin(client))
    for (const unit of memory.units.values()) {
      session.#horizons.open(unit)
      if (hasLate(unit)) session.#touched.add(unit)
    }
    return session
  }

  private constructor(options: SessionOptions, memory: FleetMemory, cursor: LedgerCursor) {
    this.#options = options
    this.#memory = memory
    this.#ledger = new LedgerReader(cursor, options.settings.EVALUATOR_PAGE_ROWS_MAX)
    this.#writer = new SessionWriter(options, cursor)
    this.#refolds = new LateRefolds({ ...options, onPage: () => this.#writer.holdLease() })
  }

  /** Whether the ledger shows more than can be taken at once. */
  get isBehind(): boolean {
    return this.#isBehind
  }

  /** Judges what has come and what the clock makes due, and commits what that changes. */
  async turn(): Promise<void> {
    const { handOver, now } = this.#options
    await this.#writer.holdLease()
    const handed = handOver.take()
    await this.#applyHanded(handed)
    const nowMs = now()
    // News without a batch is in the ledger. It would show what waits for its turn, too.
    const waitMs = handOver.isWaiting ? LEDGER_WAIT_MS : 0
    if (performance.now() >= this.#nextReadMs + waitMs || (handed.length === 0 && waitMs === 0)) {
      await this.#readLedger()
    }
    const isTick = performance.now() >= this.#nextTickMs
    if (isTick) await this.#tick(nowMs)
    await this.#settle(nowMs)
    await this.#write({ nowMs, isTick })
  }

  /** Stores what is only in memory. */
  async end(): Promise<void> {
    await this.#write({ nowMs: this.#options.now(), isEnd: true })
  }

  async #applyHanded(handed: readonly HandedBatch[]): Promise<void> {
    const fresh = handed.filter(({ id }) => this.#ledger.takeHanded(id))
    for (const { committedAtMs } of fresh) this.#writer.noteCommitted(committedAtMs)
    for (const work of inSlices(fresh, () => this.#memory.offsets)) await this.#apply(work)
  }

  async #readLedger(): Promise<void> {
    const { metrics, now, handOver, pool, settings } = this.#options
    const news = await onConnection(pool, (client) =>
      this.#ledger.next(client, (id) => handOver.isAwaited(id)),
    )
    const ageMs = news.oldestCommittedAtMs === null ? 0 : Math.max(0, now() - news.oldestCommittedAtMs)
    metrics.lagSeconds.set(ageMs / 1_000)
    this.#noteDropped()
    this.#isBehind = news.isFull
    if (news.batches.length > 0) {
      if (news.isFull) handOver.close()
      await this.#readBatches(news.batches, ageMs)
    }
    if (!news.isFull) handOver.open(this.#ledger.shownId)
    this.#nextReadMs = performance.now() + settings.EVALUATOR_POLL_MS
  }

  async #readBatches(batches: readonly LedgerBatch[], lagMs: number): Promise<void> {
    const { pool, utilization } = this.#options
    const startedAtMs = performance.now()
    this.#writer.noteCommitted(startedAtMs - lagMs)
    await this.#apply(storedWork(await onConnection(pool, (client) => batchRows(client, batches))))
    if (!this.#isBehind) return
    const beside = { utilization: utilization(), isArriving: this.#noteDropped() > 0, lagMs }
    await sleep(restMs(performance.now() - startedAtMs, beside))
  }

  /** Batches that were left to the ledger since the last look. */
  #noteDropped(): number {
    const { handOver, metrics } = this.#options
    const dropped = handOver.takeDropped()
    metrics.handOverDropped.inc(dropped)
    return dropped
  }

  async #apply(work: Work): Promise<void> {
    // A hub may send as soon as its fleet is applied: what it speaks of is configured, though not yet known here.
    if (isAnyUnknown(work, this.#memory.units)) await this.#refresh()
    await inRounds(work, {
      take: (unitId, arrivals) => this.#take(unitId, arrivals),
      write: async (held) => {
        const nowMs = this.#options.now()
        await this.#settle(nowMs, held)
        await this.#write({ nowMs, isRound: true })
      },
    })
  }

  #take(unitId: number, arrivals: readonly Arrival[]): number {
    const { metrics, now } = this.#options
    const unit = this.#memory.units.get(unitId)
    const { taken, unknown } = unit
      ? applyArrivals(unit, arrivals, now())
      : { taken: arrivals.length, unknown: 0 }
    let rows = 0
    for (const arrival of taken < arrivals.length ? arrivals.slice(0, taken) : arrivals) {
      rows += rowsOf(arrival)
      if (!unit) continue
      this.#horizons.heard(unit, arrival.readings)
      this.#horizons.heard(unit, arrival.doors)
    }
    metrics.rows.inc(rows)
    if (!unit) metrics.notEvaluated.inc({ reason: 'no_unit' }, rows)
    else this.#touched.add(unit)
    if (unknown > 0) metrics.notEvaluated.inc({ reason: 'no_device' }, unknown)
    return taken
  }

  async #refresh(): Promise<void> {
    for (const unit of await this.#memory.refresh()) {
      this.#setPauses(unit)
      this.#touched.add(unit)
    }
    // Another context has taken over what those had still to do.
    for (const unit of this.#touched) {
      if (this.#memory.units.get(unit.config.unitId) !== unit) this.#touched.delete(unit)
    }
  }

  async #tick(nowMs: number): Promise<void> {
    this.#nextTickMs = performance.now() + TICK_MS
    await this.#refresh()
    const units = [...this.#memory.units.values()]
    await this.#lookAtHubs(units, nowMs)
    if (performance.now() >= this.#nextOverdueMs) await this.#lookForOverdue(units, nowMs)
    for (const unit of lookAtSilence(units, nowMs, this.#looks)) this.#touched.add(unit)
    for (const unit of units) {
      if (hasLate(unit)) this.#touched.add(unit)
      if (!hasOpenDoor(unit)) continue
      unit.doorsFromMs ??= Infinity
      this.#touched.add(unit)
    }
  }

  /** Before the devices: while their hub is away they are not silent. */
  async #lookAtHubs(units: readonly UnitContext[], nowMs: number): Promise<void> {
    const states = await onConnection(this.#options.pool, readHubStates)
    this.#horizons.setConnected(
      new Set(states.flatMap(({ hubId, isOnline, isGone }) => (isOnline && !isGone ? [hubId] : []))),
    )
    const changed = this.#outages.update(states, nowMs)
    for (const unit of changed.size > 0 ? units : []) {
      if (![...unit.devices.values()].some(({ config }) => changed.has(config.hubId ?? 0))) continue
      this.#setPauses(unit)
      this.#touched.add(unit)
    }
    this.#hubs.push(...this.#outages.judge(units, this.#memory.downtimes, nowMs))
  }

  async #lookForOverdue(units: readonly UnitContext[], nowMs: number): Promise<void> {
    this.#nextOverdueMs = performance.now() + OVERDUE_MS
    const overdue = await onConnection(this.#options.pool, (client) =>
      this.#overdue.look(client, units, nowMs),
    )
    this.#unitFacts.push(...overdue.unitFacts)
    this.#ranges.push(...overdue.ranges)
    for (const unit of overdue.units) this.#touched.add(unit)
  }

  #setPauses(unit: UnitContext): void {
    for (const device of unit.devices.values()) {
      device.listening.pauses = this.#outages.pausesOf(device.config.hubId, this.#memory.downtimes)
    }
  }

  /** Refolds, doors and statuses of the units of this turn. `held`: messages whose turn is still to come. */
  async #settle(nowMs: number, held?: Work): Promise<void> {
    for (const unit of this.#touched) {
      await this.#writer.holdLease()
      this.#ranges.push(...(await this.#refolds.run(unit, held?.get(unit.config.unitId) ?? [])))
      if (unit.doorsFromMs !== undefined) {
        this.#ranges.push(
          ...judgeDoors(unit, (deviceId) => {
            const device = unit.devices.get(deviceId)
            return device ? this.#horizons.horizonMs(device, nowMs) : -Infinity
          }),
        )
      }
      this.#ranges.push(...silenceRanges(unit))
    }
  }

  async #write(kind: { nowMs: number; isTick?: boolean; isEnd?: boolean; isRound?: boolean }): Promise<void> {
    const { nowMs, isTick = false, isEnd = false, isRound = false } = kind
    const touched = [...this.#touched]
    const statuses = updateStatuses(touched, nowMs)
    const isPageDue = touched.filter((unit) => noteWritten(unit, nowMs)).length > 0
    const written = await this.#writer.write({
      touched,
      ranges: this.#ranges,
      unitFacts: this.#unitFacts,
      hubs: this.#hubs,
      scopes: touched.flatMap(({ config }) => this.#unproven.get(config.unitId) ?? []),
      statuses,
      cursor: this.#ledger.cursor,
      newestId: this.#ledger.newestId,
      nowMs,
      isTick,
      isEnd,
      isRound,
      isPageDue,
    })
    this.#touched.clear()
    this.#ranges = []
    this.#hubs = []
    this.#unitFacts = []
    if (written?.some(({ change }) => change.kind === 'keep_unproven') || this.#unproven.size > 0) {
      await onConnection(this.#options.pool, (client) => this.#noteUnproven(client))
    }
  }

  async #begin(client: ClientBase): Promise<void> {
    await this.#noteUnproven(client)
    this.#outages.update(await readHubStates(client), this.#options.now())
    const running = await readOpenHubAlerts(client, null)
    this.#outages.resume(running.map(({ facts }) => facts as AlertFacts))
    for (const unit of this.#memory.units.values()) this.#setPauses(unit)
  }

  async #noteUnproven(client: ClientBase): Promise<void> {
    const scopes = (await readUnproven(client)).map((scope) => ({ ...scope, fromMs: Infinity }))
    this.#unproven = Map.groupBy(scopes, ({ unitId }) => unitId)
  }
}
