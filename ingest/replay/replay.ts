import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Pool } from 'pg'
import type { Principal, Route } from '../../broker/types.ts'
import { createBatchIds } from '../../db/batches/batch-id.ts'
import { ArrivalTimeTakenError } from '../../db/batches/replayed-items.ts'
import { requireCopyColumns } from '../../db/copy/require-columns.ts'
import { findLogIns, type LogInRecord } from '../../db/registry.ts'
import { type KeptItem, keepRejected } from '../../db/replay/keep.ts'
import {
  openReplayScope,
  type RejectedEntry,
  type RejectedFilter,
  type RejectedPage,
  type ReplayScope,
  rejectedPage,
} from '../../db/replay/pages.ts'
import { RecentFrames } from '../recent-frames.ts'
import { usernameOf } from '../registry.ts'
import { type OpenedMessage, type OpenedPage, openMessages } from './open-messages.ts'
import { placeWanted, type RefusedItem } from './place-items.ts'
import { splitWholes } from './split-wholes.ts'
import { type StoreOptions, storeItems } from './store.ts'
import { count, openTally, type ReplayTally, tallyImbalance } from './tally.ts'

export interface ReplayOptions {
  pool: Pool
  /** What a publish of this client to this topic means. */
  routeOf: (principal: Principal, topic: string) => Route | undefined
  filter: RejectedFilter
  /** Look at so many items, Infinity for all. */
  limit: number
  /** Write nothing, and count what would be written. */
  dryRun: boolean
  statementTimeoutMs: number
  /** Kept up to date while it runs. */
  tally?: ReplayTally
}

/** How far after an arrival the stored times are read at first: a flood of readings without a time is spread so far. */
const ARRIVAL_SPAN_FIRST_MS = 10_000
const ARRIVAL_SPAN_MAX_MS = 10_000_000
/** Others that write times of arrival of the same devices come in between so often, before it is given up. */
const ARRIVAL_ATTEMPTS_MAX = 20
const ARRIVAL_PAUSE_MAX_MS = 200
/** As when they arrive: two copies of a frame that were both rejected are put back once. */
const FRAME_WINDOW_MS = 600_000
const FRAMES_MAX = 50_000

interface Run extends ReplayOptions {
  tally: ReplayTally
  scope: ReplayScope
  frames: RecentFrames
  store: Pick<StoreOptions, 'pool' | 'nextBatchId' | 'writer' | 'statementTimeoutMs' | 'dryRun'>
}

/**
 * Puts back the rejected items that can be stored by now: each is stored, or found stored already, in one transaction
 * with the removal of its rejected row. The others stay, with the reason that is found now. A page at a time; what is
 * rejected while it runs is left for the next run. Throws what PostgreSQL or the connection said.
 */
export async function replayRejected(options: ReplayOptions): Promise<ReplayTally> {
  const { pool, filter, limit, tally = openTally() } = options
  await requireCopyColumns(pool)
  const scope = await openReplayScope(pool)
  const frames = new RecentFrames({ windowMs: FRAME_WINDOW_MS, framesMax: FRAMES_MAX })
  const run = { ...options, tally, scope, frames, store: storeSettings(options) }
  let afterId = '0'
  while (tally.lookedAt < limit) {
    const itemsMax = Math.min(limit - tally.lookedAt, Number.MAX_SAFE_INTEGER)
    const page = await rejectedPage(pool, filter, { ...scope, afterId, itemsMax })
    if (!page) break
    afterId = page.entries.at(-1)?.id ?? afterId
    await replayPage(page, run)
  }
  const imbalance = tallyImbalance(tally)
  if (imbalance !== 0)
    throw new Error(`The books of this run do not balance: ${imbalance} items are missing.`)
  return tally
}

function storeSettings({ pool, statementTimeoutMs, dryRun }: ReplayOptions): Run['store'] {
  const nextBatchId = createBatchIds({ now: Date.now, process: Math.floor(Math.random() * 4096) })
  return { pool, statementTimeoutMs, dryRun, nextBatchId, writer: randomUUID() }
}

async function replayPage(page: RejectedPage, run: Run): Promise<void> {
  const { pool, routeOf, filter, tally, dryRun, frames } = run
  const logIns = await logInsOf(pool, page)
  const { opened, hindered } = openMessages(page, {
    logIns,
    routeOf,
    timeOfFrame: (uplink) => frames.timeOf(uplink),
    device: filter.device,
    client: filter.client,
    organizationId: filter.organizationId,
  })
  const { messages, taken } = await splitWholes(pool, opened, { dryRun })
  tally.leftToOthers += taken
  tally.lookedAt += hindered.length + messages.reduce((sum, { entries }) => sum + entries.length, 0)
  const refused = await storeMessages(messages, run)
  await keepItems({ refused, hindered }, run)
}

async function logInsOf(pool: Pool, { payloads }: RejectedPage): Promise<Map<string, LogInRecord>> {
  const usernames = [...new Set([...payloads.values()].map(({ client }) => client))]
  const names = usernames.map((username) => username.slice(username.indexOf(':') + 1))
  const found = await findLogIns(pool, names)
  return new Map(found.map((record) => [usernameOf(record), record]))
}

/**
 * Where a time of arrival turns out to be taken, what is not stored yet is placed again with more known. Runs beside this
 * one take such times too: each pauses at random, so that one of them comes through.
 */
async function storeMessages(messages: readonly OpenedMessage[], run: Run): Promise<RefusedItem[]> {
  const settled = new Set<RejectedEntry>()
  let left = messages
  for (let attempt = 1; ; attempt++) {
    const spanMs = Math.min(ARRIVAL_SPAN_FIRST_MS * 10 ** (attempt - 1), ARRIVAL_SPAN_MAX_MS)
    const { storable, refused } = await placeWanted(run.pool, left, spanMs)
    try {
      const refusedByDatabase = await storeItems(storable, storeOptions(run, settled))
      return [...refused, ...refusedByDatabase]
    } catch (error) {
      if (!(error instanceof ArrivalTimeTakenError) || attempt === ARRIVAL_ATTEMPTS_MAX) throw error
      await sleep(Math.random() * ARRIVAL_PAUSE_MAX_MS)
      left = left.map((message) => ({
        ...message,
        entries: message.entries.filter((entry) => !settled.has(entry)),
      }))
    }
  }
}

/** Counts what was stored, and what others have, and adds it to what is settled. */
function storeOptions({ store, tally }: Run, settled: Set<RejectedEntry>): StoreOptions {
  return {
    ...store,
    onStored: (items, outcome, droppedRows) => {
      for (const { entry } of items) settled.add(entry)
      tally.readings += outcome.readings
      tally.doors += outcome.doors
      tally.duplicate += outcome.readingsDuplicate + outcome.doorsDuplicate + droppedRows
    },
    onTaken: (items) => {
      for (const { entry } of items) settled.add(entry)
      leaveToOthers(tally, items.length)
    },
  }
}

/** What stays rejected is counted where it was noted: another run may have been there meanwhile. */
async function keepItems(
  { refused, hindered }: { refused: readonly RefusedItem[]; hindered: OpenedPage['hindered'] },
  { pool, scope, tally, dryRun }: Run,
): Promise<void> {
  const kept: KeptItem[] = [
    ...refused.map(({ entry, reject }) => ({ id: entry.id, verdict: reject })),
    ...hindered.map(({ entry }) => ({ id: entry.id, verdict: null })),
  ]
  if (kept.length === 0) return
  const ours = dryRun ? new Set(kept.map(({ id }) => id)) : await keepRejected(pool, kept, scope)
  for (const { entry, reject } of refused) {
    if (ours.has(entry.id)) count(tally.stillRejected, reject?.reason ?? entry.reason)
    else leaveToOthers(tally, 1)
  }
  for (const { entry, hindrance } of hindered) {
    if (ours.has(entry.id)) count(tally.notReplayable, hindrance)
    else leaveToOthers(tally, 1)
  }
}

function leaveToOthers(tally: ReplayTally, items: number): void {
  tally.lookedAt -= items
  tally.leftToOthers += items
}
