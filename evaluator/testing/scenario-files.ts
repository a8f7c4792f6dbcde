import { readdirSync, readFileSync } from 'node:fs'
import { z } from 'zod'
import { alertSeverity, alertType, unitStatus } from '../../db/schema/enums.ts'

const FOLDER = new URL('./scenarios/', import.meta.url)

const at = z.number()
const hub = z.string()
const arrival = { recv: at, hub }
const message = z.discriminatedUnion('kind', [
  z.strictObject({
    ...arrival,
    kind: z.literal('readings'),
    payload: z.strictObject({
      readings: z.array(
        z.strictObject({
          device: z.string(),
          at,
          temperature: z.number().optional(),
          humidity: z.number().optional(),
          battery: z.number().optional(),
          fault: z.string().optional(),
        }),
      ),
    }),
  }),
  z.strictObject({
    ...arrival,
    kind: z.literal('doors'),
    payload: z.strictObject({
      events: z.array(z.strictObject({ device: z.string(), at, state: z.enum(['open', 'closed']) })),
    }),
  }),
  z.strictObject({
    ...arrival,
    kind: z.literal('status'),
    payload: z.strictObject({ state: z.enum(['online', 'offline']) }),
  }),
  z.strictObject({
    recv: at,
    kind: z.literal('op'),
    op: z.literal('maintenance'),
    unit: z.string(),
    from: at,
    to: at,
  }),
])

/** What an alert must say. Seconds after the beginning of the scenario. */
const fact = z.strictObject({
  /** Null for an alert about a hub. */
  unit: z.string().nullable(),
  hub: hub.optional(),
  /** Null for a limit of the unit itself. */
  rule: z.string().nullable(),
  type: z.enum(alertType.enumValues).optional(),
  severity: z.enum(alertSeverity.enumValues).optional(),
  started_at: at,
  triggered_at: at,
  ended_at: at.nullable(),
  status: z.enum(['active', 'resolved']),
})

const scenario = z.strictObject({
  id: z.string(),
  title: z.string(),
  fleet: z.string(),
  alert_rules: z.array(z.looseObject({ name: z.string() })),
  messages: z.array(message),
  /** The clock at which it is looked at. */
  look_at: at,
  /** With the clock at each message's `recv`. `paged`: the clock second of the first page, null = never. */
  expected: z.strictObject({
    alerts: z.array(fact.extend({ paged: at.nullable(), retrospective: z.boolean() })),
    withdrawn: z.array(
      z.strictObject({
        unit: z.string(),
        rule: z.string(),
        raised_at: at,
        paged: at.nullable(),
        withdrawn_at: at,
        correction_notices: z.number(),
      }),
    ),
    unit_status: z.record(z.string(), z.enum(unitStatus.enumValues)),
  }),
  /** Clock second to the unit's status from then on, where that matters; of the only unit. */
  status_on_the_way: z.record(z.string(), z.enum(unitStatus.enumValues)).optional(),
  /** Whether the readings and events may come one by one in any order, and more than once. */
  any_order: z.boolean(),
  /** With all messages sent at once, when all is past. Absent where it is about the clock. */
  expected_compressed: z
    .strictObject({
      alerts: z.array(fact.extend({ paged: z.boolean(), retrospective: z.boolean() })),
      withdrawn: z.number(),
    })
    .optional(),
})

const scenarioFile = z.strictObject({
  fleets: z.record(z.string(), z.looseObject({})),
  scenarios: z.array(scenario),
})

export type Scenario = z.output<typeof scenario> & { fleetFile: object }
export type ScenarioMessage = z.output<typeof message>

/** All scenarios of the folder, each with the fleet file that it is played on. */
export function loadScenarios(): Scenario[] {
  const files = readdirSync(FOLDER)
    .toSorted()
    .map((name) => scenarioFile.parse(JSON.parse(readFileSync(new URL(name, FOLDER), 'utf8'))))
  const fleets = Object.assign({}, ...files.map((file) => file.fleets)) as Record<string, object>
  return files
    .flatMap((file) => file.scenarios)
    .map((item) => {
      const fleet = fleets[item.fleet]
      if (!fleet)
        throw new Error(`Scenario ${item.id} is played on the fleet ${item.fleet}, which no file has`)
      return { ...item, fleetFile: { ...fleet, alert_rules: item.alert_rules } }
    })
}
