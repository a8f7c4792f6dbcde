import type { HubState } from '../db/evaluation/hub-states.ts'
import { type DeadHub, hubSilence } from './core/hub-silence.ts'
import { allPauses, type Pause } from './core/pauses.ts'
import { type Hearing, type Listening, newHearing } from './core/silence.ts'
import type { AlertFacts } from './core/types.ts'
import type { UnitContext } from './unit-context.ts'

/** An outage that is over matters as long as a silence may have begun before it. */
const KEPT_MS = 30 * 24 * 3_600_000

interface Hub {
  organizationId: number
  outages: Pause[]
  running: AlertFacts | null
  isGone: boolean
}

/** What is to be said of a hub; null = nothing. */
export interface HubFacts {
  hubId: number
  organizationId: number
  facts: AlertFacts | null
}

/**
 * Hubs that are away: while one is, it has one alert, and its devices none of their own. What it was away before this process
 * began to look is not known.
 */
export class HubOutages {
  readonly #hubs = new Map<number, Hub>()

  /** Takes over which hubs are connected; returns those whose outage began or ended. */
  update(states: readonly HubState[], nowMs: number): Set<number> {
    const changed = this.#forget(states)
    for (const { hubId, organizationId, isOnline, isGone, sinceMs } of states) {
      const hub = this.#hubs.get(hubId) ?? { organizationId, outages: [], running: null, isGone }
      this.#hubs.set(hubId, hub)
      hub.isGone = isGone
      const last = hub.outages.at(-1)
      const isAway = last !== undefined && last.toMs === null
      // One that was never heard of is not away: it has not come yet.
      const isNewlyAway = !isOnline && !isAway && sinceMs !== null
      if (isNewlyAway) hub.outages.push({ fromMs: Math.round(sinceMs), toMs: null })
      else if (isOnline && isAway) last.toMs = Math.max(last.fromMs, Math.round(sinceMs ?? nowMs))
      else continue
      hub.outages = hub.outages.filter(({ toMs }) => toMs === null || toMs > nowMs - KEPT_MS)
      changed.add(hubId)
    }
    return changed
  }

  /** Deleted hubs, whose alerts have ended: what speaks through them is silent by itself. Returns them. */
  #forget(states: readonly HubState[]): Set<number> {
    const gone = new Set(this.#hubs.keys()).difference(new Set(states.map(({ hubId }) => hubId)))
    for (const hubId of gone) this.#hubs.delete(hubId)
    return gone
  }

  /** The alerts of hubs that were running when this process began to look. */
  resume(alerts: readonly AlertFacts[]): void {
    for (const facts of alerts) {
      const hub = facts.hubId === null ? undefined : this.#hubs.get(facts.hubId)
      if (hub) hub.running = facts
    }
  }

  /** In which times the devices of a hub are not silent. */
  pausesOf(hubId: number | null, downtimes: readonly Pause[]): Pause[] {
    return allPauses(downtimes, (hubId === null ? undefined : this.#hubs.get(hubId))?.outages ?? [])
  }

  /**
   * What the clock says of hubs that are away, or were until now: those of which something else is to be said than before. Their
   * devices are due up to where they were heard; those of units that are set aside (`asideListenings`) are not heard.
   */
  judge(
    { units, asideListenings }: { units: Iterable<UnitContext>; asideListenings: Iterable<Listening> },
    downtimes: readonly Pause[],
    { nowMs, heardToMs }: { nowMs: number; heardToMs: number },
  ): HubFacts[] {
    const away = [...this.#hubs].filter(
      ([, { outages, running }]) => running || outages.at(-1)?.toMs === null,
    )
    if (away.length === 0) return []
    const devices = devicesByHub(units, asideListenings)
    return away.flatMap(([hubId, hub]) => {
      // It came back while nobody looked.
      const outages = hub.outages.length > 0 ? hub.outages : [{ fromMs: nowMs, toMs: nowMs }]
      const known = { hubId, outages, downtimes, devices: devices.get(hubId) ?? [], running: hub.running }
      const facts = hub.isGone ? endedWith(hub.running, nowMs) : hubSilence(known, heardToMs)
      const isSame = JSON.stringify(facts) === JSON.stringify(hub.running)
      hub.running = facts?.endedAtMs === null ? facts : null
      return isSame ? [] : [{ hubId, organizationId: hub.organizationId, facts }]
    })
  }
}

/** The alert of a hub that was deleted. */
function endedWith(running: AlertFacts | null, nowMs: number): AlertFacts | null {
  if (running === null) return null
  return { ...running, endedAtMs: Math.max(running.triggeredAtMs, nowMs), resolution: 'rule_changed' }
}

function devicesByHub(
  units: Iterable<UnitContext>,
  asideListenings: Iterable<Listening>,
): Map<number, DeadHub['devices']> {
  const devices: { hearing: Hearing; listening: Listening }[] = []
  for (const unit of units) {
    for (const { isUnheard, hearing, listening } of unit.devices.values()) {
      devices.push({ hearing: isUnheard ? newHearing() : hearing, listening })
    }
  }
  for (const listening of asideListenings) devices.push({ hearing: newHearing(), listening })
  const byHub = Map.groupBy(devices, ({ listening }) => listening.device.hubId ?? 0)
  byHub.delete(0)
  return byHub
}
