import { faultRates } from './command-line.ts'
import { describeFaults } from './faults/rates.ts'
import { numberOption, parseOptions } from './options.ts'

const HUBS_DEFAULT = 200
const SENSORS_DEFAULT = 20
const INTERVAL_DEFAULT_SECONDS = 10
const LORA_PERCENT_DEFAULT = 5
const SEED_DEFAULT = 1

export const DEMO_USAGE = `Usage: npm run demo -- [options]

Starts FrostGuard as npm start does, applies a generated fleet (organization "demo-simulated"), and lets simulated hubs
publish to it, until Ctrl-C. Then the hubs deliver what they still have, the database is compared with what was
acknowledged, the books are printed and FrostGuard stops. The exit code is 0 when the database equals the ledger.

  --hubs <n>         how many hubs (default: ${HUBS_DEFAULT})
  --sensors <n>      for each hub (default: ${SENSORS_DEFAULT})
  --interval <n>     seconds between two readings of a sensor (default: ${INTERVAL_DEFAULT_SECONDS})
  --lora-percent <n> so many of a hundred sensors reach us through LoRaWAN instead of a hub: half of them
                     by ChirpStack, half by The Things Stack (default: ${LORA_PERCENT_DEFAULT})
  --seconds <n>      how long (default: until Ctrl-C)
  --seed <n>         another seed is another fleet and another story (default: ${SEED_DEFAULT})
  --faults <spec>    none, demo (default), or a list of the faults below, such as demo,duplicate=0.05,late=0
  --speed <n>        seconds of physics in a second of the clock (default: 1)
  --help             prints this

The settings are those of npm start. The fleet file and its secrets are kept in DATA_DIR/demo: with the same numbers
the next demo goes on with the same fleet.

Faults:
${describeFaults()}`

export interface DemoLine {
  fleet: { hubs: number; sensorsPerHub: number; intervalSeconds: number; loraPercent: number; seed: number }
  /** What the simulators are told beside the fleet, its credentials and the broker, as arguments of `simulate`. */
  simulateArgs: string[]
}

/** Reads the arguments of `npm run demo`; undefined = only help was asked for. Throws a `UsageError`. */
export function parseDemoLine(args: readonly string[]): DemoLine | undefined {
  const { values } = parseOptions(
    {
      args: [...args],
      options: {
        hubs: { type: 'string' },
        sensors: { type: 'string' },
        interval: { type: 'string' },
        'lora-percent': { type: 'string' },
        seconds: { type: 'string' },
        seed: { type: 'string' },
        faults: { type: 'string', default: 'demo' },
        speed: { type: 'string' },
        help: { type: 'boolean', short: 'h', default: false },
      },
    },
    'demo',
  )
  if (values.help) return undefined
  const seed = numberOption('seed', values.seed) ?? SEED_DEFAULT
  numberOption('seconds', values.seconds)
  numberOption('speed', values.speed)
  faultRates(values.faults)
  return {
    fleet: {
      hubs: numberOption('hubs', values.hubs) ?? HUBS_DEFAULT,
      sensorsPerHub: numberOption('sensors', values.sensors) ?? SENSORS_DEFAULT,
      intervalSeconds: numberOption('interval', values.interval) ?? INTERVAL_DEFAULT_SECONDS,
      loraPercent: numberOption('lora-percent', values['lora-percent']) ?? LORA_PERCENT_DEFAULT,
      seed,
    },
    simulateArgs: [
      ...['--seed', String(seed), '--faults', values.faults, '--verify'],
      ...(values.seconds === undefined ? [] : ['--seconds', values.seconds]),
      ...(values.speed === undefined ? [] : ['--speed', values.speed]),
    ],
  }
}
