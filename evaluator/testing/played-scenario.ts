import { publish } from '../../contract/testing/clients.ts'
import type { FleetFile } from '../../contract/testing/fleet.ts'
import type { TestService } from '../../contract/testing/service.ts'
import type { Random } from '../../simulators/random.ts'
import type { Scenario, ScenarioMessage } from './scenario-files.ts'

/** Readings or events in one message, at most. */
const SPLIT_MAX = 20
const RESENT_SHARE = 0.1

type Sent = Exclude<ScenarioMessage, { kind: 'op' }>

/** A row of `alerts` in the words of a scenario: seconds after its beginning. */
export interface AlertSaid {
  unit: string
  /** Null for a limit of the unit itself. */
  rule: string | null
  type: string
  severity: string
  started_at: number
  triggered_at: number
  ended_at: number | null
  status: string
  paged: boolean
  retrospective: boolean
  isWithdrawn: boolean
}

/**
 * A scenario on a running service, in an organization of its own, in real time: it began so long ago that it is to be looked
 * at now.
 */
export class PlayedScenario {
  readonly scenario: Scenario
  readonly #service: TestService
  readonly #slug: string
  readonly #number: number
  #beginMs = 0

  /** `number` tells it from the others on the same service: below 4,096. */
  constructor(service: TestService, scenario: Scenario, number: number) {
    this.scenario = scenario
    this.#service = service
    this.#number = number
    this.#slug = `scenario-${number}`
  }

  applyFleet(): Promise<void> {
    const fleet = this.#own(this.scenario.fleetFile) as FleetFile
    return this.#service.applyFleet({ ...fleet, organization: { ...fleet.organization, slug: this.#slug } })
  }

  /** Publishes messages made of its own, without waiting between them; returns when all are acknowledged. */
  async publish(order: (messages: Sent[]) => Sent[]): Promise<void> {
    this.#beginMs = Date.now() - this.scenario.look_at * 1000
    const messages = order(this.scenario.messages.filter((message) => message.kind !== 'op'))
    const hubs = new Set(messages.map(({ hub }) => hub))
    for (const hub of hubs) {
      const key = `${this.#slug}-${hub}`
      const client = await this.#service.connect(key)
      const own = messages.filter((message) => message.hub === hub)
      await Promise.all(
        own.map(({ kind, payload }) =>
          publish(client, `v1/hubs/${key}/${kind}`, this.#timed(this.#own(payload))),
        ),
      )
      await client.endAsync(true)
    }
  }

  /** Its alerts as they are now, in order of their beginning. */
  alerts(): Promise<AlertSaid[]> {
    const second = (column: string) => `round(extract(epoch FROM ${column}) - $2::numeric / 1000, 3)::float8`
    return this.#service.query<AlertSaid>(
      `SELECT u.name AS unit, r.name AS rule, a.alert_type AS type, a.severity, ${second('a.started_at')} AS started_at,
         ${second('a.triggered_at')} AS triggered_at, ${second('a.ended_at')} AS ended_at, a.status,
         a.paged_at IS NOT NULL AS paged, a.retrospective, a.resolution IS NOT DISTINCT FROM 'withdrawn' AS "isWithdrawn"
       FROM alerts a JOIN organizations o ON o.id = a.organization_id
       LEFT JOIN units u ON u.id = a.unit_id LEFT JOIN alert_rules r ON r.id = a.rule_id
       WHERE o.slug = $1 ORDER BY a.started_at, a.triggered_at, r.name`,
      [this.#slug, this.#beginMs],
    )
  }

  /** With hubs and devices of its own. */
  #own(value: object): object {
    const prefix = (0x1000 + this.#number).toString(16)
    const text = JSON.stringify(value)
      .replaceAll('"hub-', `"${this.#slug}-hub-`)
      .replaceAll(/"[0-9a-f]{4}([0-9a-f]{12})"/g, `"${prefix}$1"`)
    return JSON.parse(text)
  }

  #timed(payload: object): object {
    return JSON.parse(JSON.stringify(payload), (key, value) =>
      key === 'at' ? this.#beginMs + value * 1000 : value,
    )
  }
}

/** The same readings and events one by one in any order, in any split, some of them more than once. */
export function anyOrder(random: Random): (messages: Sent[]) => Sent[] {
  return (messages) => {
    const singles = messages.flatMap(singlesOf)
    const resent = singles.filter(() => random.chance(RESENT_SHARE))
    const shuffled = [...singles, ...resent]
      .map((single) => ({ single, rank: random.next() }))
      .toSorted((a, b) => a.rank - b.rank)
      .map(({ single }) => single)
    return split(random, shuffled)
  }
}

function singlesOf(message: Sent): Sent[] {
  if (message.kind === 'readings') {
    return message.payload.readings.map((reading) => ({ ...message, payload: { readings: [reading] } }))
  }
  if (message.kind === 'doors') {
    return message.payload.events.map((event) => ({ ...message, payload: { events: [event] } }))
  }
  return [message]
}

/** Neighbours of one kind and hub go together, up to a number that is drawn. */
function split(random: Random, singles: readonly Sent[]): Sent[] {
  const messages: Sent[] = []
  let room = 0
  for (const single of singles) {
    const last = messages.at(-1)
    const isFull = room === 0 || last?.hub !== single.hub
    room -= 1
    if (!isFull && last?.kind === 'readings' && single.kind === 'readings') {
      last.payload.readings.push(...single.payload.readings)
    } else if (!isFull && last?.kind === 'doors' && single.kind === 'doors') {
      last.payload.events.push(...single.payload.events)
    } else {
      messages.push(structuredClone(single))
      room = random.integer(0, SPLIT_MAX - 1)
    }
  }
  return messages
}
