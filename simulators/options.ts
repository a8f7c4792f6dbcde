import { type ParseArgsConfig, parseArgs } from 'node:util'

/** The command line cannot be used; the message is a sentence. The exit code is 2. */
export class UsageError extends Error {
  override name = 'UsageError'
}

/** Most connections and sensors that a generated fleet may have. */
const HUBS_MAX = 10_000
const SENSORS_MAX = 1_000
const SECONDS_MAX = 7 * 86_400
const SPEED_MAX = 3_600

interface Range {
  min: number
  max: number
  unit: string
  isWhole?: boolean
}

export const RANGES = {
  hubs: { min: 1, max: HUBS_MAX, unit: 'hubs', isWhole: true },
  sensors: { min: 1, max: SENSORS_MAX, unit: 'sensors for each hub', isWhole: true },
  interval: { min: 1, max: SECONDS_MAX, unit: 'seconds', isWhole: true },
  seconds: { min: 0.1, max: SECONDS_MAX, unit: 'seconds' },
  seed: { min: 0, max: 2 ** 32 - 1, unit: '(any seed)', isWhole: true },
  speed: { min: 0.001, max: SPEED_MAX, unit: 'seconds of physics a second' },
  'lora-percent': { min: 0, max: 100, unit: 'of a hundred sensors' },
  'batch-seconds': { min: 0, max: 3_600, unit: 'seconds' },
  port: { min: 1, max: 65_535, unit: '(a TCP port)', isWhole: true },
} as const satisfies Record<string, Range>

/** The number of an option, or undefined when it is not given. Throws a `UsageError` outside its range. */
export function numberOption(name: keyof typeof RANGES, text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const { min, max, unit, isWhole }: Range = RANGES[name]
  const value = Number(text)
  if (text.trim() !== '' && value >= min && value <= max && (!isWhole || Number.isInteger(value)))
    return value
  const kind = isWhole ? 'a whole number' : 'a number'
  throw new UsageError(`--${name} ${text}: expected ${kind} from ${min} to ${max} ${unit}.`)
}

/** `parseArgs` of node:util, whose errors become sentences that name the way to help. */
export function parseOptions<const Config extends ParseArgsConfig>(config: Config, command: string) {
  try {
    return parseArgs(config)
  } catch (error) {
    const [sentence = ''] = error instanceof Error ? error.message.split('. ') : [String(error)]
    throw new UsageError(
      `${sentence.replace(/\.$/, '')}. Run "npm run ${command} -- --help" for what is possible.`,
    )
  }
}
