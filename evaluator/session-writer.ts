import type { ClientBase, PoolClient } from 'pg'
import { onConnection } from '../db/batches/transaction.ts'
import { countOpenAlerts } from '../db/evaluation/alert-rows.ts'
import { type LedgerCursor, moveCursor } from '../db/evaluation/cursor.ts'
import type { EpisodeRange, EpisodeScope } from '../db/evaluation/episodes.ts'
import { writeLateMarks } from '../db/evaluation/late-marks.ts'
import { keepLease } from '../db/evaluation/lease.ts'
import { writeWatermark } from '../db/evaluation/watermark.ts'
import { together } from '../db/together.ts'
import type { WrittenChange } from './alert-changes.ts'
import type { HubFacts } from './hub-outages.ts'
import { LeaseLostError } from './lease.ts'
import type { UnitFacts } from './overdue-looks.ts'
import { isOfData } from './refusals.ts'
import { type LedgerPlace, type SavePart, SaveRound } from './save-round.ts'
import type { SessionOptions } from './session-options.ts'
import type { SetAside } from './set-aside.ts'
import { changesOf, halves, type TurnPart, wholeTurn } from './turn-parts.ts'
import { type DeviceContext, OPEN_END_MS, type UnitContext } from './unit-context.ts'
import { type TurnChanges, type TurnResult, writeTurn } from './write-turn.ts'

/** The name of the evaluator's cursor, watermark and lease. */
export const EVALUATOR = 'evaluator'

/** The cursor is moved so often though nothing arrives: when it stands, nobody has evaluated. */
const HEARTBEAT_MS = 10_000
const WATERMARK_MS = 60_000
/** Joins are made as they are written, from the few rows on: to plan others takes PostgreSQL as long as the joins. */
const BEGIN = 'BEGIN; SET LOCAL join_collapse_limit = 1'

/** How far all is stored with a transaction; undefined: no farther than before. */
type Saved = LedgerPlace | undefined

interface Unsaved {
  device: DeviceContext
  unit: UnitContext
}

interface Turn {
  touched: readonly UnitContext[]
  ranges: readonly EpisodeRange[]
  scopes: readonly EpisodeScope[]
  unitFacts: readonly UnitFacts[]
  hubs: readonly HubFacts[]
  statuses: readonly UnitContext[]
  cursor: LedgerCursor
  newestId: bigint
  nowMs: number
  isTick: boolean
  isEnd: boolean
  /** More of what has come is still to be judged: the cursor stays. */
  isRound: boolean
  /** An alert of which nothing has changed may page. */
  isPageDue: boolean
}

/**
 * Commits what turns have changed. Alerts at once, with the states of their devices; the cursor and all other states every
 * `EVALUATOR_SAVE_MS`, in parts: what a crash loses of them is read from the ledger again.
 */
export class SessionWriter {
  readonly #options: SessionOptions
  readonly #aside: SetAside
  /** By unit and device, as a change of rules puts other contexts in the place of theirs. */
  readonly #unsaved = new Map<string, Unsaved>()
  readonly #heard = new Map<number, UnitContext>()
  #savedCursor: LedgerCursor
  #savedAtMs = performance.now()
  /** The save under way. */
  #round: SaveRound | undefined
  #watermarkAtMs = -Infinity
  #openAlerts = 1
  /** Of what is being judged, by `performance.now()`. */
  #oldestCommitMs = Infinity

  constructor(options: SessionOptions, { cursor, aside }: { cursor: LedgerCursor; aside: SetAside }) {
    this.#options = options
    this.#aside = aside
    this.#savedCursor = cursor
  }

  /** A batch committed at this time, by `performance.now()`, is part of the turn. */
  noteCommitted(atMs: number): void {
    this.#oldestCommitMs = Math.min(this.#oldestCommitMs, atMs)
  }

  /** Returns what has become of alerts; undefined: nothing had to be written. */
  async write(turn: Turn): Promise<readonly WrittenChange[] | undefined> {
    for (const unit of turn.touched) this.#note(unit)
    const part = turn.isRound ? undefined : this.#nextPart(turn)
    const changes = this.#changesOf(turn, part)
    const isWriting = part !== undefined || hasChanges(changes)
    const written = isWriting ? await this.#writeAll(turn, changes, part?.place) : undefined
    if (!turn.isRound) this.#oldestCommitMs = Infinity
    return written
  }

  /** Whether there is more to be stored than the last turn has. */
  get isSaving(): boolean {
    return this.#round !== undefined
  }

  #nextPart(turn: Turn): SavePart | undefined {
    // The last one is of all.
    if (turn.isEnd || (!this.#round && this.#isSaveDue(turn))) {
      const unsaved = { devices: this.#unsaved.keys(), unitIds: this.#heard.keys() }
      this.#round = new SaveRound(turn, unsaved, performance.now())
    }
    const part = this.#round?.next(turn.isEnd ? Infinity : performance.now())
    if (part?.place) this.#round = undefined
    return part
  }

  /** A unit was set aside: its states are no longer to be stored. */
  forget(unitId: number): void {
    this.#heard.delete(unitId)
    for (const [key, { unit }] of this.#unsaved) if (unit.config.unitId === unitId) this.#unsaved.delete(key)
  }

  /** In one transaction. Where what is written is at fault, part by part, so that only those units stay behind that are refused. */
  async #writeAll(turn: Turn, changes: TurnChanges, saved: Saved): Promise<readonly WrittenChange[]> {
    try {
      return await this.#commit(turn, changes, saved)
    } catch (error) {
      if (!isOfData(error)) throw error
      const written = await this.#writePart(turn, changes, wholeTurn(changes))
      return [...written, ...(await this.#writeRest(turn, changes, saved))]
    }
  }

  async #writeRest(turn: Turn, changes: TurnChanges, saved: Saved): Promise<readonly WrittenChange[]> {
    const rest = changesOf(changes, { unitIds: new Set(), hubIds: new Set() })
    if (!changes.isPagingAll) return this.#commit(turn, rest, saved)
    try {
      return await this.#commit(turn, { ...rest, isPagingAll: true }, saved)
    } catch (error) {
      if (!isOfData(error)) throw error
      this.#aside.setPagesAside(error)
      return this.#commit(turn, rest, saved)
    }
  }

  /**
   * Writes a part by itself: what was refused with it may be at fault, for example a page of another unit. Finds by halving what
   * the database refuses, in at most 1 + 2·log2(units) transactions for each, and sets it aside.
   */
  async #writePart(turn: Turn, changes: TurnChanges, part: TurnPart): Promise<readonly WrittenChange[]> {
    await this.holdLease()
    try {
      return await this.#commit(turn, changesOf(changes, part), undefined)
    } catch (error) {
      if (!isOfData(error)) throw error
      const two = halves(part)
      if (!two) this.#setAside(part, changes.hubs, error)
      const written: WrittenChange[] = []
      for (const half of two ?? []) written.push(...(await this.#writePart(turn, changes, half)))
      return written
    }
  }

  #setAside({ unitIds, hubIds }: TurnPart, hubs: readonly HubFacts[], error: unknown): void {
    for (const unitId of unitIds) this.#aside.setAside(unitId, error)
    for (const said of hubs) if (hubIds.has(said.hubId)) this.#aside.setHubAside(said, error)
  }

  /** While a turn takes long, or nothing has to be written: else another process would begin beside this one. */
  async holdLease(): Promise<void> {
    await this.#options.lease.hold()
  }

  #note(unit: UnitContext): void {
    const { unitId } = unit.config
    for (const device of unit.devices.values()) {
      if (!device.isUnsaved) continue
      // It was aside when the save began, with a mark that is not stored: the cursor must not pass what is to be folded.
      if (device.late?.toMs === OPEN_END_MS) this.#round?.add(device.key)
      if (this.#unsaved.get(device.key)?.device !== device) this.#unsaved.set(device.key, { device, unit })
    }
    // Also one that was heard before its rules changed.
    if (unit.isHeard || this.#heard.has(unitId)) this.#heard.set(unitId, unit)
    unit.isHeard = false
  }

  #changesOf(
    { touched, ranges, scopes, unitFacts, hubs, statuses, isTick, isPageDue }: Turn,
    part: SavePart | undefined,
  ): TurnChanges {
    const ranged = new Set(ranges.map(({ unitId }) => unitId))
    const scoped = new Set(scopes.map(({ unitId }) => unitId))
    const units = touched.filter(
      ({ changed, config: { unitId } }) => changed.size > 0 || ranged.has(unitId) || scoped.has(unitId),
    )
    const heard = [...(part?.unitIds ?? [])].flatMap((unitId) => this.#heard.get(unitId) ?? [])
    return {
      units,
      ranges,
      scopes,
      unitFacts,
      hubs,
      statuses,
      devices: this.#unsavedOf(units, part?.devices ?? []),
      heard,
      isPagingAll: (isTick || isPageDue) && this.#openAlerts > 0 && this.#aside.arePagesDue(),
    }
  }

  /** Those of units that are written all the same, and those of a part. */
  #unsavedOf(units: readonly UnitContext[], keys: Iterable<string>): Unsaved[] {
    const found = new Map<string, Unsaved>()
    for (const key of keys) {
      const unsaved = this.#unsaved.get(key)
      if (unsaved) found.set(key, unsaved)
    }
    for (const unit of units) {
      for (const device of unit.devices.values()) {
        if (device.isUnsaved) found.set(device.key, { device, unit })
      }
    }
    return [...found.values()]
  }

  #isSaveDue({ cursor }: Turn): boolean {
    const elapsedMs = performance.now() - this.#savedAtMs
    const isNews =
      this.#unsaved.size > 0 || this.#aside.marks().length > 0 || cursor.batchId !== this.#savedCursor.batchId
    return elapsedMs >= (isNews ? this.#options.settings.EVALUATOR_SAVE_MS : HEARTBEAT_MS)
  }

  async #commit(turn: Turn, changes: TurnChanges, saved: Saved): Promise<readonly WrittenChange[]> {
    const result = await this.#transact(turn, changes, saved)
    this.#stored(changes, result, saved)
    return result.alerts
  }

  #transact(turn: Turn, changes: TurnChanges, saved: Saved): Promise<TurnResult> {
    const { pool, lease, limits, statementTimeoutMs } = this.#options
    return onConnection(pool, async (client) => {
      const [, isHeld] = await together(client, [
        () => client.query(`${BEGIN}; SET LOCAL statement_timeout = ${Math.trunc(statementTimeoutMs)}`),
        () => keepLease(client, lease.lease),
      ])
      if (!isHeld) throw new LeaseLostError()
      const result = await writeTurn(client, changes, { nowMs: turn.nowMs, limits })
      const isCountDue = turn.isTick || result.alerts.length > 0
      await together(client, [
        async () => (saved ? this.#moveTo(client, saved, turn) : undefined),
        async () => (isCountDue ? this.#countAlerts(client) : undefined),
      ])
      await client.query('COMMIT')
      return result
    })
  }

  async #moveTo(client: PoolClient, { cursor, newestId }: LedgerPlace, { isEnd }: Turn): Promise<void> {
    const isWatermarkDue = isEnd || performance.now() >= this.#watermarkAtMs + WATERMARK_MS
    await together(client, [
      () => writeLateMarks(client, this.#aside.marks(), OPEN_END_MS),
      () => moveCursor(client, EVALUATOR, { from: this.#savedCursor, to: cursor }),
      async () => (isWatermarkDue ? writeWatermark(client, EVALUATOR, { cursor, newestId }) : undefined),
    ])
    if (isWatermarkDue) this.#watermarkAtMs = performance.now()
  }

  async #countAlerts(client: ClientBase): Promise<void> {
    const counts = await countOpenAlerts(client)
    this.#openAlerts = Object.values(counts).reduce((sum, count) => sum + count, 0)
    this.#options.metrics.setOpenAlerts(counts)
  }

  /** After the commit. */
  #stored(changes: TurnChanges, result: TurnResult, saved: Saved): void {
    const { metrics, onTold } = this.#options
    for (const stored of changes.devices) {
      stored.device.isUnsaved = false
      this.#unsaved.delete(stored.device.key)
    }
    for (const unit of changes.units) {
      unit.changed.clear()
      unit.silent.clear()
    }
    for (const { config } of changes.heard) this.#heard.delete(config.unitId)
    this.#aside.said(changes)
    if (saved) {
      this.#aside.marked()
      this.#savedCursor = saved.cursor
      this.#savedAtMs = performance.now()
    }
    if (result.alerts.length > 0 && Number.isFinite(this.#oldestCommitMs)) {
      metrics.evaluateSeconds.observe((performance.now() - this.#oldestCommitMs) / 1_000)
    }
    if (result.isToldOutside) onTold()
  }
}

function hasChanges(changes: TurnChanges): boolean {
  const { units, ranges, scopes, unitFacts, hubs, statuses, isPagingAll } = changes
  return isPagingAll || [units, ranges, scopes, unitFacts, hubs, statuses].some(({ length }) => length > 0)
}
