import { fileURLToPath } from 'node:url'
import { describeFaults, parseFaults } from './faults/rates.ts'
import { LORA_FORMATS, type LoraFormat } from './lora/uplink.ts'
import { numberOption, parseOptions, UsageError } from './options.ts'
import type { FaultRates } from './types.ts'

const DEMO_FLEET = fileURLToPath(new URL('./fleets/demo.json', import.meta.url))
const PORT_DEFAULT = 1883
const SPEED_DEFAULT = 1
const BATCH_SECONDS_DEFAULT = 5
const SEED_MAX = 2 ** 32 - 1
const PROTOCOLS: readonly string[] = ['mqtt:', 'mqtts:', 'ws:', 'wss:']
const HUBS_DEFAULT = 10
const SENSORS_DEFAULT = 20
const INTERVAL_DEFAULT_SECONDS = 10

export const SIMULATE_USAGE = `Usage: npm run simulate -- [fleet.json] [options]

Lets the hubs and devices of a fleet file publish over MQTT as real ones would: readings of a simulated world, kept and
sent again until they are acknowledged. The fleet must have been applied (npm run fleet:apply). Ctrl-C stops it: what
the hubs still have is delivered first. Without a fleet file it is simulators/fleets/demo.json.

  --credentials <file>   the secrets that fleet:apply has written (default: credentials.json)
  --host <host>          of the broker (default: 127.0.0.1)
  --port <port>          of the broker (default: ${PORT_DEFAULT})
  --url <url>            instead of both: mqtt://host:port, also mqtts, ws and wss
  --seconds <n>          how long (default: until Ctrl-C)
  --seed <n>             of the world and the faults (default: another one each time; it is printed)
  --faults <spec>        none (default), demo, or a list of the faults below, such as demo,duplicate=0.05,late=0
  --speed <n>            seconds of physics in a second of the clock (default: ${SPEED_DEFAULT})
  --batch-seconds <n>    how long a hub gathers readings for a message (default: ${BATCH_SECONDS_DEFAULT})
  --lora <format>        what network servers of the fleet speak for their sensors: ${LORA_FORMATS.join(', ')},
                         or both (default: the first of them the one, the second the other, and so on)
  --ledger <file>        writes down what is published and acknowledged, in a new file
  --verify               at the end compares the database with that; exit code 1 when they differ
  --verify-only          publishes nothing: compares the database with the file of --ledger
  --write-fleet <file>   publishes nothing: writes a generated fleet file, of
    --hubs <n>           so many hubs (default: ${HUBS_DEFAULT}),
    --sensors <n>        so many sensors for each (default: ${SENSORS_DEFAULT}),
    --interval <n>       reporting every so many seconds (default: ${INTERVAL_DEFAULT_SECONDS}); --seed gives another fleet
    --lora-percent <n>   so many of a hundred sensors reach us through LoRaWAN instead (default: 0)
  --help                 prints this

The database is that of DATABASE_URL, else the embedded one of DATA_DIR. A run keeps its ledger in memory.

Faults:
${describeFaults()}`

/** A run against a broker. */
export interface RunLine {
  mode: 'run'
  fleetPath: string
  credentialsPath: string
  url: string
  seconds: number | undefined
  seed: number
  rates: FaultRates
  speed: number
  batchSeconds: number
  loraFormat: LoraFormat | 'both'
  ledgerPath: string | undefined
  verify: boolean
}

export interface WriteFleetLine {
  mode: 'write-fleet'
  path: string
  hubs: number
  sensorsPerHub: number
  intervalSeconds: number
  loraPercent: number
  seed: number
}

export type SimulateLine =
  | RunLine
  | WriteFleetLine
  | { mode: 'verify-only'; ledgerPath: string }
  | { mode: 'help' }

const OPTIONS = {
  credentials: { type: 'string', default: 'credentials.json' },
  host: { type: 'string' },
  port: { type: 'string' },
  url: { type: 'string' },
  seconds: { type: 'string' },
  seed: { type: 'string' },
  faults: { type: 'string', default: 'none' },
  speed: { type: 'string' },
  'batch-seconds': { type: 'string' },
  ledger: { type: 'string' },
  verify: { type: 'boolean', default: false },
  'verify-only': { type: 'boolean', default: false },
  'write-fleet': { type: 'string' },
  hubs: { type: 'string' },
  sensors: { type: 'string' },
  interval: { type: 'string' },
  lora: { type: 'string', default: 'both' },
  'lora-percent': { type: 'string' },
  help: { type: 'boolean', short: 'h', default: false },
} as const

/** Reads the arguments of `npm run simulate`. Throws a `UsageError`. `randomSeed` is drawn from 0 to 2^32 - 1. */
export function parseSimulateLine(args: readonly string[], randomSeed = drawSeed): SimulateLine {
  const { values, positionals } = parse(args)
  if (values.help) return { mode: 'help' }
  const seed = numberOption('seed', values.seed)
  if (values['write-fleet'] !== undefined) {
    return { ...fleetNumbers(values), mode: 'write-fleet', path: values['write-fleet'], seed: seed ?? 1 }
  }
  for (const name of ['hubs', 'sensors', 'interval', 'lora-percent'] as const) {
    if (values[name] !== undefined) throw new UsageError(`--${name} goes with --write-fleet.`)
  }
  if (values['verify-only']) return verifyOnly(values.ledger)
  const [fleetPath = DEMO_FLEET, ...rest] = positionals
  if (rest.length > 0) throw new UsageError(`One fleet file at a time, but there are ${positionals.length}.`)
  return {
    mode: 'run',
    fleetPath,
    credentialsPath: values.credentials,
    url: brokerUrl(values),
    seconds: numberOption('seconds', values.seconds),
    seed: seed ?? randomSeed(),
    rates: faultRates(values.faults),
    speed: numberOption('speed', values.speed) ?? SPEED_DEFAULT,
    batchSeconds: numberOption('batch-seconds', values['batch-seconds']) ?? BATCH_SECONDS_DEFAULT,
    loraFormat: loraFormat(values.lora),
    ledgerPath: values.ledger,
    verify: values.verify,
  }
}

function parse(args: readonly string[]) {
  return parseOptions({ args: [...args], allowPositionals: true, options: OPTIONS }, 'simulate')
}

type Values = ReturnType<typeof parse>['values']

function fleetNumbers(values: Pick<Values, 'hubs' | 'sensors' | 'interval' | 'lora-percent'>) {
  return {
    hubs: numberOption('hubs', values.hubs) ?? HUBS_DEFAULT,
    sensorsPerHub: numberOption('sensors', values.sensors) ?? SENSORS_DEFAULT,
    intervalSeconds: numberOption('interval', values.interval) ?? INTERVAL_DEFAULT_SECONDS,
    loraPercent: numberOption('lora-percent', values['lora-percent']) ?? 0,
  }
}

function loraFormat(text: string): LoraFormat | 'both' {
  const found = ([...LORA_FORMATS, 'both'] as const).find((format) => format === text)
  if (found === undefined)
    throw new UsageError(`--lora ${text}: expected ${LORA_FORMATS.join(', ')} or both.`)
  return found
}

function verifyOnly(ledgerPath: string | undefined): SimulateLine {
  if (ledgerPath === undefined)
    throw new UsageError('--verify-only needs --ledger with the file of an earlier run.')
  return { mode: 'verify-only', ledgerPath }
}

/** The fault specification of an option. Throws a `UsageError`. */
export function faultRates(spec: string): FaultRates {
  try {
    return parseFaults(spec)
  } catch (error) {
    throw new UsageError(`--faults: ${error instanceof Error ? error.message : String(error)}`)
  }
}

function brokerUrl({ url, host, port }: Pick<Values, 'url' | 'host' | 'port'>): string {
  if (url === undefined) {
    const name = host ?? '127.0.0.1'
    return `mqtt://${name.includes(':') ? `[${name}]` : name}:${numberOption('port', port) ?? PORT_DEFAULT}`
  }
  if (host !== undefined || port !== undefined)
    throw new UsageError('--url says the host and the port: give no others.')
  if (!PROTOCOLS.includes(URL.parse(url)?.protocol ?? '')) {
    throw new UsageError(`--url ${url}: expected mqtt://host:port, or mqtts, ws or wss instead of mqtt.`)
  }
  return url
}

function drawSeed(): number {
  return Math.floor(Math.random() * SEED_MAX)
}
