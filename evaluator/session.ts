import { setImmediate as breathe, setTimeout as sleep } from 'node:timers/promises'
import type { ClientBase } from 'pg'
import { onConnection } from '../db/batches/transaction.ts'
import { readOpenHubAlerts, readUnproven } from '../db/evaluation/alert-rows.ts'
import { batchRows } from '../db/evaluation/batch-rows.ts'
import type { LedgerCursor } from '../db/evaluation/cursor.ts'
import type { EpisodeRange, EpisodeScope } from '../db/evaluation/episodes.ts'
import { readHubStates } from '../db/evaluation/hub-states.ts'
import { applyInputs } from './apply-inputs.ts'
import type { AlertFacts } from './core/types.ts'
import { FleetMemory } from './fleet-memory.ts'
import type { HandedBatch } from './hand-over.ts'
import { HubHorizons } from './hub-horizons.ts'
import { type HubFacts, HubOutages } from './hub-outages.ts'
import { hasOpenDoor, judgeDoors } from './judge-doors.ts'
import { LedgerReader } from './ledger-reader.ts'
import { OverdueLooks, type UnitFacts } from './overdue-looks.ts'
import { refoldDevice } from './refold-device.ts'
import { Rest } from './rest.ts'
import { lookAtSilence } from './session-clock.ts'
import type { SessionOptions } from './session-options.ts'
import { SessionWriter } from './session-writer.ts'
import { statusAt } from './status.ts'
import type { DeviceContext, UnitContext } from './unit-context.ts'
import { addHandedDoors, addHandedReadings, addStored, type Work } from './work.ts'

/** How often the clock is let judge, and changed rules are looked for. */
const TICK_MS = 1_000
/** How often manual logs and calibrations are looked at. */
const OVERDUE_MS = 5_000
/** Rows that are judged before others get their turn. */
const ROWS_AT_ONCE = 2_000

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
  /** Units of this turn at which something was heard or is due. */
  readonly #touched = new Set<UnitContext>()
  #ranges: EpisodeRange[] = []
  #hubs: HubFacts[] = []
  #unitFacts: UnitFacts[] = []
  #unproven = new Map<number, EpisodeScope[]>()
  #nextTickMs = 0
  #nextOverdueMs = 0
  #nextReadMs = 0
  readonly #rest = new Rest()
  #isBehind = true
  #rowsInARow = 0

  static async open(options: SessionOptions, cursor: LedgerCursor): Promise<Session> {
    const memory = new FleetMemory({ pool: options.pool, nowMs: options.now, onDefect: options.onDefect })
    await memory.load()
    const session = new Session(options, memory, cursor)
    await onConnection(options.pool, (client) => session.#begin(client))
    for (const unit of memory.units.values()) {
      session.#horizons.open(unit)
      // States of other rules than those of now.
      if ([...unit.devices.values()].some(({ late }) => late)) session.#touched.add(unit)
    }
    return session
  }

  private constructor(options: SessionOptions, memory: FleetMemory, cursor: LedgerCursor) {
    this.#options = options
    this.#memory = memory
    this.#ledger = new LedgerReader(cursor, options.settings.EVALUATOR_PAGE_ROWS_MAX)
    this.#writer = new SessionWriter(options, cursor)
  }

  /** Whether the ledger shows more than can be taken at once. */
  get isBehind(): boolean {
    return this.#isBehind
  }

  /** Judges what has come and what the clock makes due, and commits what that changes. */
  async turn(): Promise<void> {
    const { handOver, now, pool } = this.#options
    const handed = handOver.take()
    for (const batch of handed) {
      if (this.#ledger.takeHanded(batch.id)) await this.#applyHanded(batch)
    }
    const nowMs = now()
    // News without a batch is in the ledger.
    if (handed.length === 0 || performance.now() >= this.#nextReadMs) {
      await onConnection(pool, (client) => this.#readLedger(client))
    }
    const isTick = performance.now() >= this.#nextTickMs
    if (isTick) await this.#tick(nowMs)
    await this.#settle(nowMs)
    await this.#write({ nowMs, isTick, isEnd: false })
  }

  /** Stores what is only in memory. */
  async end(): Promise<void> {
    await this.#write({ nowMs: this.#options.now(), isTick: false, isEnd: true })
  }

  /** In slices, so that what they are unpacked to is gone before it has grown old. */
  async #applyHanded({ readings, doors, committedAtMs }: HandedBatch): Promise<void> {
    this.#writer.noteCommitted(committedAtMs)
    const { offsets } = this.#memory
    let from = 0
    do {
      const to = Math.min(from + ROWS_AT_ONCE, readings.length)
      const work: Work = new Map()
      addHandedReadings(work, readings, { from, to, offsets })
      if (from === 0) addHandedDoors(work, doors)
      await this.#apply(work)
      from = to
    } while (from < readings.length)
  }

  async #readLedger(client: ClientBase): Promise<void> {
    const { metrics, now, handOver, settings } = this.#options
    const news = await this.#ledger.next(client, (id) => handOver.isAwaited(id))
    const ageMs = news.oldestCommittedAtMs === null ? 0 : Math.max(0, now() - news.oldestCommittedAtMs)
    metrics.lagSeconds.set(ageMs / 1_000)
    metrics.handOverDropped.inc(handOver.takeDropped())
    if (news.parts.length > 0) this.#writer.noteCommitted(performance.now() - ageMs)
    const isCatchingUp = news.isFull || news.parts.length > 1
    for (const part of news.parts) {
      const startedAtMs = performance.now()
      const work: Work = new Map()
      addStored(work, await batchRows(client, part))
      await this.#apply(work)
      // The ledger is patient: what arrives is not.
      if (isCatchingUp) await sleep(this.#rest.after(performance.now() - startedAtMs))
    }
    this.#isBehind = news.isFull
    if (news.isFull) handOver.close()
    else handOver.open()
    this.#nextReadMs = performance.now() + settings.EVALUATOR_POLL_MS
  }

  async #apply(work: Work): Promise<void> {
    const { metrics } = this.#options
    // A hub may send as soon as its fleet is applied: what it speaks of is configured, though not yet known here.
    if (isAnyUnknown(work, this.#memory.units)) await this.#refresh()
    for (const [unitId, inputs] of work) {
      const count = inputs.readings.length + inputs.doors.length
      const unit = this.#memory.units.get(unitId)
      metrics.rows.inc(count)
      if (!unit) metrics.notEvaluated.inc({ reason: 'no_unit' }, count)
      else {
        const unknown = applyInputs(unit, inputs)
        if (unknown > 0) metrics.notEvaluated.inc({ reason: 'no_device' }, unknown)
        this.#horizons.heard(unit, inputs.readings)
        this.#horizons.heard(unit, inputs.doors)
        this.#touched.add(unit)
      }
      this.#rowsInARow += count
      if (this.#rowsInARow < ROWS_AT_ONCE) continue
      this.#rowsInARow = 0
      await breathe()
    }
  }

  async #refresh(): Promise<void> {
    for (const unit of await this.#memory.refresh()) {
      this.#setPauses(unit)
      this.#touched.add(unit)
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
      if (!hasOpenDoor(unit)) continue
      unit.doorsFromMs ??= Infinity
      this.#touched.add(unit)
    }
  }

  /** Before the devices: while their hub is away they are not silent. */
  async #lookAtHubs(units: readonly UnitContext[], nowMs: number): Promise<void> {
    const states = await onConnection(this.#options.pool, readHubStates)
    this.#horizons.setConnected(new Set(states.flatMap(({ hubId, isOnline }) => (isOnline ? [hubId] : []))))
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

  /** Refolds, doors and statuses of the units of this turn. */
  async #settle(nowMs: number): Promise<void> {
    for (const unit of this.#touched) {
      for (const device of unit.devices.values()) {
        const { late } = device
        if (!late) continue
        this.#options.metrics.refolds.inc()
        this.#ranges.push(
          await onConnection(this.#options.pool, (client) => refoldDevice(client, unit, device, late)),
        )
      }
      if (unit.doorsFromMs !== undefined) {
        this.#ranges.push(
          ...judgeDoors(unit, (deviceId) => {
            const device = unit.devices.get(deviceId)
            return device ? this.#horizons.horizonMs(device, nowMs) : -Infinity
          }),
        )
      }
      for (const deviceId of unit.silent) {
        const { unitId } = unit.config
        this.#ranges.push({ unitId, deviceId, kind: 'silence', afterMs: -Infinity, toMs: Infinity })
      }
    }
  }

  async #write({ nowMs, isTick, isEnd }: { nowMs: number; isTick: boolean; isEnd: boolean }): Promise<void> {
    const touched = [...this.#touched]
    const statuses = touched.filter((unit) => {
      const status = statusAt(unit, nowMs)
      const isOther = status !== unit.status
      unit.status = status
      return isOther
    })
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

function isAnyUnknown(work: Work, units: ReadonlyMap<number, UnitContext>): boolean {
  for (const [unitId, { readings, doors }] of work) {
    const devices = units.get(unitId)?.devices
    if (!devices) return true
    for (const { deviceId } of readings) if (!devices.has(deviceId)) return true
    for (const { deviceId } of doors) if (!devices.has(deviceId)) return true
  }
  return false
}
