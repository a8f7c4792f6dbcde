import { doorHorizon } from '../core/doors.ts'
import { hubSilence } from '../core/hub-silence.ts'
import type { Pause } from '../core/pauses.ts'
import type { AlertFacts, RuleTrack } from '../core/types.ts'
import type { UnitStatus } from '../core/unit-status.ts'
import type { Evidence } from '../paging/types.ts'
import type { KeptRow } from './alert-rows.ts'
import type { Scenario, ScenarioMessage } from './scenario-files.ts'
import { inputsOf, type ScenarioUnits, unitsOf } from './scenario-units.ts'
import { type Journal, VirtualAlerts } from './virtual-alerts.ts'
import { VirtualUnit } from './virtual-unit.ts'

/** Between two looks at the clock. */
const TICK_SECONDS = 10

/** An alert as a scenario tells it, with seconds after its beginning. */
export interface ToldAlert {
  unit: string | null
  hub?: string
  rule: string | null
  row: KeptRow
  journal: Journal
}

interface VirtualHub {
  key: string
  outages: { fromMs: number; toMs: number | null }[]
  newestEventMs: number | null
  quietSinceMs: number | null
  doorsJudgedToMs: number
  alerts: VirtualAlerts
  running: AlertFacts | null
}

/**
 * A scenario played in memory on the pure parts of the evaluator, with a clock of its own: each message arrives at its
 * second, and the clock is looked at every few seconds between.
 */
export class VirtualWorld {
  readonly #scenario: Scenario
  readonly #startMs: number
  readonly #named: ScenarioUnits
  readonly #units: readonly { name: string; unit: VirtualUnit; alerts: Map<RuleTrack, VirtualAlerts> }[]
  readonly #hubs: ReadonlyMap<number, VirtualHub>
  readonly #windows: { unit: string; fromMs: number; toMs: number }[] = []

  constructor(scenario: Scenario, startMs: number) {
    this.#scenario = scenario
    this.#startMs = startMs
    this.#named = unitsOf(scenario)
    this.#units = this.#named.units.map(({ name, config }) => ({
      name,
      unit: new VirtualUnit(config),
      alerts: new Map(config.tracks.map((track) => [track, new VirtualAlerts()])),
    }))
    this.#hubs = new Map([...this.#named.hubIds].map(([key, hubId]) => [hubId, newHub(key)]))
  }

  /** Plays it up to the second at which it is looked at; `onSecond` is called whenever something may have changed. */
  play(onSecond: (second: number) => void): void {
    const messages = [...this.#scenario.messages]
    const ticks = Array.from(
      { length: 1 + this.#scenario.look_at / TICK_SECONDS },
      (_, index) => index * TICK_SECONDS,
    )
    const seconds = new Set([...ticks, ...messages.map(({ recv }) => recv), this.#scenario.look_at])
    for (const second of [...seconds].toSorted((a, b) => a - b)) {
      this.#judge(second)
      while (messages[0] && messages[0].recv <= second) {
        this.#take(messages.shift() as ScenarioMessage)
        this.#judge(second)
      }
      onSecond(second)
    }
  }

  statusOf(name: string): UnitStatus | undefined {
    return this.#units.find((unit) => unit.name === name)?.unit.status
  }

  alerts(): ToldAlert[] {
    const ofUnits = this.#units.flatMap(({ name, alerts }) =>
      [...alerts].flatMap(([track, kept]) =>
        toldOf(kept, { unit: name, rule: track.ruleId === null ? null : track.name }),
      ),
    )
    const ofHubs = [...this.#hubs.values()].flatMap(({ key, alerts }) =>
      toldOf(alerts, { unit: null, hub: key, rule: null }).map((told) => ({
        ...told,
        rule: this.#nameOf(told.row.facts.ruleId),
      })),
    )
    return [...ofUnits, ...ofHubs]
  }

  #nameOf(ruleId: number | null): string | null {
    const tracks = this.#units.flatMap(({ unit }) => unit.config.tracks)
    return tracks.find((track) => track.ruleId === ruleId)?.name ?? null
  }

  #take(message: ScenarioMessage): void {
    const nowMs = this.#startMs + message.recv * 1000
    if (message.kind === 'op') {
      const { unit, from, to } = message
      this.#windows.push({ unit, fromMs: this.#startMs + from * 1000, toMs: this.#startMs + to * 1000 })
      return
    }
    const hub = this.#hubs.get(this.#named.hubIds.get(message.hub) ?? Number.NaN)
    if (!hub) throw new Error(`no hub ${message.hub}`)
    hub.quietSinceMs = nowMs
    if (message.kind === 'status') {
      const last = hub.outages.at(-1)
      if (message.payload.state === 'offline') hub.outages.push({ fromMs: nowMs, toMs: null })
      else if (last) last.toMs ??= nowMs
      return
    }
    const inputs = inputsOf(message, this.#startMs, this.#named.deviceIds)
    for (const input of inputs.toSorted((a, b) => a.atMs - b.atMs)) {
      hub.newestEventMs = Math.max(hub.newestEventMs ?? input.atMs, input.atMs)
      for (const { unit } of this.#units) unit.take(input, hub.outages)
    }
  }

  #judge(second: number): void {
    const nowMs = this.#startMs + second * 1000
    for (const [hubId, hub] of this.#hubs) this.#judgeHub(hubId, hub, nowMs)
    for (const { name, unit, alerts } of this.#units) {
      const hub = this.#hubs.get(unit.config.devices[0]?.hubId ?? Number.NaN)
      unit.judge(nowMs, hub?.outages ?? [])
      const isHeld = this.#windows.some(
        (window) => window.unit === name && window.fromMs <= nowMs && nowMs < window.toMs,
      )
      for (const [track, kept] of alerts) {
        const judgedToMs = hub?.doorsJudgedToMs ?? Number.NEGATIVE_INFINITY
        const isOut = track.alertType === 'alarm_active' && isAnyOut(unit)
        kept.reconcile(unit.factsOf(track, judgedToMs), nowMs, isOut)
        kept.page(nowMs, { isHeld, evidence: evidenceOf(unit, track) })
      }
    }
  }

  #judgeHub(hubId: number, hub: VirtualHub, nowMs: number): void {
    hub.doorsJudgedToMs = doorHorizon({
      nowMs,
      hubNewestEventMs: hub.newestEventMs,
      hubQuietSinceMs: hub.quietSinceMs,
      hubConnected: hub.outages.at(-1)?.toMs !== null,
      beforeMs: hub.doorsJudgedToMs,
    })
    const outages: readonly Pause[] = hub.outages
    const devices = this.#units.flatMap(({ unit }) =>
      unit.config.devices
        .filter((device) => device.hubId === hubId)
        .map((device) => ({ hearing: unit.hearingOf(device), listening: unit.listening(device, outages) })),
    )
    const facts = hubSilence({ hubId, outages, downtimes: [], devices, running: hub.running }, nowMs)
    hub.running = facts?.endedAtMs === null ? facts : null
    hub.alerts.reconcile(facts ? [facts] : [], nowMs, false)
    hub.alerts.page(nowMs, { isHeld: false, evidence: 'clock' })
  }
}

function newHub(key: string): VirtualHub {
  return {
    key,
    outages: [],
    newestEventMs: null,
    quietSinceMs: null,
    doorsJudgedToMs: Number.NEGATIVE_INFINITY,
    alerts: new VirtualAlerts(),
    running: null,
  }
}

function isAnyOut(unit: VirtualUnit): boolean {
  return unit.config.devices.some((device) => {
    const { newestAtMs, isGood } = unit.viewOf(device)
    return newestAtMs !== null && !isGood
  })
}

/** The devices that are beyond the rule; of an alert that late data took them from, all of the unit. */
function evidenceOf(unit: VirtualUnit, track: RuleTrack): 'clock' | Evidence[] {
  if (track.conditionType === 'no_data' || track.conditionType === 'door_open') return 'clock'
  const running = unit
    .episodesOf(track, Number.NEGATIVE_INFINITY)
    .filter(({ endedAtMs }) => endedAtMs === null)
  return unit.config.devices
    .map((device) => ({ device, episode: running.find(({ deviceId }) => deviceId === device.deviceId) }))
    .filter(({ episode }) => episode !== undefined || running.length === 0)
    .map(({ device, episode }) => ({
      newestMs: unit.viewOf(device).newestAtMs,
      isGood: episode?.newestIsGood ?? false,
      intervalMs: device.intervalMs[0]?.value ?? 0,
    }))
}

function toldOf(
  { rows, journals }: VirtualAlerts,
  about: Pick<ToldAlert, 'unit' | 'hub' | 'rule'>,
): ToldAlert[] {
  return rows.flatMap((row) => {
    const journal = journals.get(row.id)
    if (!journal) return []
    return [{ ...about, row, journal }]
  })
}
