import { parseArgs } from 'node:util'
import { conditionSchema } from '../../db/fleet/conditions.ts'
import { PRESETS } from '../../db/fleet/presets.ts'
import { parseRfc3339 } from '../../ingest/time.ts'
import { parseCondition } from '../config/condition.ts'
import type { Condition } from '../core/types.ts'

export const USAGE = `Usage: npm run rules:backtest -- --organization <slug> (--condition <JSON> | --preset <name>) [options]

Says what a rule would have raised on the readings and door events that are stored, had it always been in force. It changes
nothing. Silence, manual logs and calibrations are facts of their time: rules about them cannot be tried.

  --organization <slug>  whose units
  --condition <JSON>     as in a fleet file, for example '{"type":"temperature_above","limit":5,"for_seconds":600}'
  --preset <name>        ${Object.keys(PRESETS).join(', ')}
  --unit <name>          only units of this name
  --from <time>          only what was measured then or later: RFC 3339 with its offset (a day ago)
  --to <time>            only what was measured before (now)
  --help                 print this

The database is that of DATABASE_URL, else the embedded one of DATA_DIR. The service may be running.`

export interface CommandLine {
  organization: string
  conditions: Condition[]
  unit: string | undefined
  fromMs: number
  toMs: number
}

const DAY_MS = 24 * 3_600_000
const OF_THE_CLOCK: ReadonlySet<string> = new Set(['no_data', 'manual_log_overdue', 'calibration_due'])

/** Reads the arguments after the program's name; undefined = only help was asked for. Throws an `Error` with a sentence. */
export function parseCommandLine(args: readonly string[], nowMs: number): CommandLine | undefined {
  const { values } = parseArgs({
    args: [...args],
    options: {
      organization: { type: 'string' },
      condition: { type: 'string' },
      preset: { type: 'string' },
      unit: { type: 'string' },
      from: { type: 'string' },
      to: { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  })
  if (values.help) return undefined
  const { organization, unit } = values
  if (!organization) throw new Error('--organization is missing: expected the slug of one.')
  const toMs = values.to === undefined ? nowMs : timeOf('to', values.to)
  const fromMs = values.from === undefined ? toMs - DAY_MS : timeOf('from', values.from)
  if (fromMs >= toMs) throw new Error('--from is not before --to.')
  return { organization, unit, fromMs, toMs, conditions: conditionsOf(values) }
}

function conditionsOf(values: { condition?: string; preset?: string }): Condition[] {
  const { condition, preset } = values
  if ((condition === undefined) === (preset === undefined)) {
    throw new Error('Expected either --condition or --preset.')
  }
  const given = preset === undefined ? [parseJson(condition ?? '')] : presetOf(preset)
  return given.map((one) => {
    const { type } = conditionSchema.parse(one)
    if (OF_THE_CLOCK.has(type)) throw new Error(`A rule of type ${type} cannot be tried on the past.`)
    return parseCondition(type, one)
  })
}

function presetOf(name: string): readonly unknown[] {
  const preset = PRESETS[name]
  if (preset) return preset.conditions
  throw new Error(`--preset=${name}: expected one of ${Object.keys(PRESETS).join(', ')}.`)
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new Error(`--condition=${text}: expected JSON, as in '{"type":"temperature_above","limit":5}'.`)
  }
}

function timeOf(option: string, text: string): number {
  const ms = parseRfc3339(text)
  if (ms !== null) return ms
  throw new Error(`--${option}=${text}: expected a time as 2026-11-20T10:15:00Z.`)
}
