import type { MqttClient } from 'mqtt'
import { collect, publish, type Received } from '../../contract/testing/clients.ts'
import type { FleetFile } from '../../contract/testing/fleet.ts'
import type { TestService } from '../../contract/testing/service.ts'
import { until } from '../../db/testing/poll.ts'

const MINUTE_MS = 60_000
const INTERVAL_SECONDS = 300
/** Readings in one message. */
const READINGS_MAX = 200

export const TOO_WARM = {
  name: 'Too warm',
  condition: { type: 'temperature_above', limit: 5, hysteresis: 0.5, for_seconds: 600 },
  severity: 'critical',
}

/** A temperature, and when it was measured: minutes after the fleet's beginning. */
export type Measured = readonly [minute: number, celsius: number]

/** An alert as its row has it, times as minutes after the fleet's beginning. */
export interface JudgedAlert {
  id: number
  rule: string | null
  status: string
  started: number
  triggered: number
  ended: number | null
  peak: number | null
  retrospective: boolean
  resolution: string | null
  isPaged: boolean
}

/** What operators hear of an alert. */
export interface Told {
  alert: string
  transition: string
  status: string
  unit: string
}

interface JudgedFleetOptions {
  /** Also what its hubs and devices are called by: at most 255 fleets on a service. */
  number: number
  rules: readonly object[]
  /** How long ago minute 0 is. */
  minutes: number
  /** Each with a thermometer and a door. */
  units?: number
  /** Over which its units are spread; without it, each has its own. */
  hubs?: number
  intervalSeconds?: number
}

/** An organization of its own on a running service: its hubs publish, its operators listen, and its rows are looked at. */
export class JudgedFleet {
  readonly beginMs: number
  readonly slug: string
  readonly told: Received<Told>[] = []
  readonly #service: TestService
  readonly #options: Required<JudgedFleetOptions>
  readonly #hubs = new Map<string, MqttClient>()

  static async open(service: TestService, options: JudgedFleetOptions): Promise<JudgedFleet> {
    const fleet = new JudgedFleet(service, options)
    await fleet.applyRules(options.rules)
    const operator = await service.connect(`operator:${fleet.slug}`)
    const told = await collect<Told>(operator, `v1/orgs/${fleet.slug}/alerts`)
    return Object.assign(fleet, { told })
  }

  private constructor(service: TestService, options: JudgedFleetOptions) {
    this.#service = service
    const { units = 1 } = options
    this.#options = { units, hubs: units, intervalSeconds: INTERVAL_SECONDS, ...options }
    this.slug = `judged-${options.number}`
    this.beginMs = Date.now() - options.minutes * MINUTE_MS
  }

  /** As `npm run fleet:apply -- --prune` does. */
  async applyRules(rules: readonly object[]): Promise<void> {
    const units = Array.from({ length: this.#options.units }, (_, unit) => ({
      name: `Cooler ${unit}`,
      unit_type: 'walk_in_cooler',
      devices: ['temperature', 'door'].map((type) => ({
        device_eui: this.#device(unit, type),
        hub: this.hub(unit),
        device_type: type,
        reporting_interval_seconds: this.#options.intervalSeconds,
      })),
    }))
    const hubs = Array.from({ length: this.#options.hubs }, (_, hub) => ({ key: this.hub(hub) }))
    const file = {
      organization: { slug: this.slug, name: this.slug, timezone: 'Europe/Berlin' },
      sites: [{ name: 'Site', hubs, areas: [{ name: 'Kitchen', units }] }],
      alert_rules: [...rules],
    }
    await this.#service.applyFleet(file as FleetFile, { prune: true })
  }

  get nowMinute(): number {
    return (Date.now() - this.beginMs) / MINUTE_MS
  }

  /** The key of the hub of a unit. */
  hub(unit: number): string {
    return `${this.slug}-hub-${unit % this.#options.hubs}`
  }

  /** Published one after the other, without waiting for the PUBACK of the one before. */
  publish(readings: readonly Measured[], unit = 0, readingsMax = READINGS_MAX): Promise<void> {
    return this.#send(unit, this.#readings(readings, unit), readingsMax)
  }

  /** The same of each unit; its first hub speaks for all. */
  publishAll(readings: readonly Measured[]): Promise<void> {
    const units = Array.from({ length: this.#options.units }, (_, unit) => this.#readings(readings, unit))
    return this.#send(0, units.flat(), READINGS_MAX)
  }

  #readings(readings: readonly Measured[], unit: number): object[] {
    const device = this.#device(unit, 'temperature')
    return readings.map(([minute, temperature]) => ({ device, at: this.#at(minute), temperature }))
  }

  async #send(unit: number, readings: readonly object[], readingsMax: number): Promise<void> {
    const hub = await this.#connected(unit)
    const messages: object[] = []
    for (let from = 0; from < readings.length; from += readingsMax) {
      messages.push({ readings: readings.slice(from, from + readingsMax) })
    }
    await Promise.all(messages.map((message) => publish(hub, `v1/hubs/${this.hub(unit)}/readings`, message)))
  }

  async publishDoors(
    events: readonly (readonly [minute: number, state: 'open' | 'closed'])[],
  ): Promise<void> {
    await publish(await this.#connected(0), `v1/hubs/${this.hub(0)}/doors`, {
      events: events.map(([minute, state]) => ({
        device: this.#device(0, 'door'),
        at: this.#at(minute),
        state,
      })),
    })
  }

  /** All but the withdrawn, in order of their beginning. */
  alerts(): Promise<JudgedAlert[]> {
    const minute = (column: string) =>
      `round((extract(epoch FROM ${column}) - $2::numeric / 1000) / 60, 2)::float8`
    return this.#service.query<JudgedAlert>(
      `SELECT a.id, r.name AS rule, a.status, ${minute('a.started_at')} AS started, ${minute('a.triggered_at')} AS triggered,
         ${minute('a.ended_at')} AS ended, a.peak_value::float8 AS peak, a.retrospective, a.resolution,
         a.paged_at IS NOT NULL AS "isPaged"
       FROM alerts a JOIN organizations o ON o.id = a.organization_id LEFT JOIN alert_rules r ON r.id = a.rule_id
       WHERE o.slug = $1 AND a.resolution IS DISTINCT FROM 'withdrawn' ORDER BY a.started_at, a.id`,
      [this.slug, this.beginMs],
    )
  }

  /** How often each thing was done: entries of the audit log, and messages to people, by their names. */
  async counts(): Promise<Record<string, number>> {
    const rows = await this.#service.query<{ name: string; count: number }>(
      `SELECT e.action AS name, count(*)::int FROM event_logs e JOIN organizations o ON o.id = e.organization_id
       WHERE o.slug = $1 AND e.action LIKE 'alert\\_%' AND e.entity_type = 'alert' GROUP BY 1
       UNION ALL SELECT d.kind, count(*)::int FROM notification_deliveries d JOIN alerts a ON a.id = d.alert_id
       JOIN organizations o ON o.id = a.organization_id WHERE o.slug = $1 GROUP BY 1`,
      [this.slug],
    )
    return Object.fromEntries(rows.map(({ name, count }) => [name, count]))
  }

  async unitStatuses(): Promise<string[]> {
    const rows = await this.#service.query<{ status: string }>(
      `SELECT u.status FROM units u JOIN organizations o ON o.id = u.organization_id WHERE o.slug = $1 ORDER BY u.id`,
      [this.slug],
    )
    return rows.map(({ status }) => status)
  }

  /** What operators were told so far, in order. */
  transitions(): string[] {
    return this.told.map(({ json }) => json.transition)
  }

  /** Waits until everything that is committed has been judged, and stored. */
  evaluated(): Promise<void> {
    return until('all that is committed is evaluated', async () => {
      const [row] = await this.#service.query<{ left: number }>(
        `SELECT count(*)::int AS left FROM pipeline.ingest_batches b
         WHERE NOT EXISTS (SELECT FROM pipeline.evaluator_cursors c WHERE (c.tx, c.batch_id) >= (b.tx, b.id))`,
      )
      return row?.left === 0
    })
  }

  async #connected(unit: number): Promise<MqttClient> {
    const key = this.hub(unit)
    const known = this.#hubs.get(key) ?? (await this.#service.connect(key))
    this.#hubs.set(key, known)
    return known
  }

  #at(minute: number): number {
    return Math.round(this.beginMs + minute * MINUTE_MS)
  }

  #device(unit: number, type: string): string {
    const number = this.#options.number.toString(16).padStart(2, '0')
    return `${type === 'door' ? 'd' : 'c'}84041${number}${unit.toString(16).padStart(8, '0')}`
  }
}
