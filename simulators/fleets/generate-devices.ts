import type { Random } from '../random.ts'

/** Makers' prefixes (IEEE OUI): Milesight, Dragino, ELSYS. */
const DEV_EUI_PREFIXES = ['24e124', 'a84041', 'a81758'] as const
const DEV_EUI_SUFFIX_BYTES = 5
/** Of the devices that measure temperature alone, the share that have a log-in of their own instead of a hub. */
const CONNECTS_SHARE = 0.02

/** What stands in a unit, and how often of 20. */
const SETS: readonly { weight: number; types: readonly string[] }[] = [
  { weight: 4, types: ['temperature'] },
  { weight: 2, types: ['temperature_humidity'] },
  { weight: 4, types: ['temperature_door'] },
  { weight: 5, types: ['temperature', 'door'] },
  { weight: 2, types: ['temperature', 'temperature'] },
  { weight: 2, types: ['temperature', 'temperature_humidity', 'door'] },
  { weight: 1, types: ['temperature', 'temperature', 'temperature', 'door'] },
]

/** A device of a fleet file. */
export interface DeviceEntry {
  device_eui: string
  hub?: string
  lora?: { network_server: string }
  device_type: string
  reporting_interval_seconds: number
  connects?: true
}

/** Draws the devices of one unit: 1 to 4, at most `countMax`. */
export function drawUnitDevices(
  random: Random,
  options: {
    hub: string
    /** The network server of a device that has one instead of the hub. */
    networkServerOf: (devEui: string) => string | undefined
    intervalSeconds: number
    countMax: number
    drawDevEui: () => string
  },
): DeviceEntry[] {
  const { types } = random.pick(SETS.flatMap((set) => Array<typeof set>(set.weight).fill(set)))
  return types.slice(0, options.countMax).map((device_type) => {
    const connects = device_type === 'temperature' && random.chance(CONNECTS_SHARE)
    const devEui = options.drawDevEui()
    const server = options.networkServerOf(devEui)
    const reachedBy = server === undefined ? { hub: options.hub } : { lora: { network_server: server } }
    return {
      device_eui: devEui,
      ...(connects ? { connects } : reachedBy),
      device_type,
      reporting_interval_seconds: options.intervalSeconds,
    }
  })
}

/** Draws a DevEUI that is not in `taken`, and puts it there. */
export function drawDevEui(random: Random, taken: Set<string>): string {
  for (;;) {
    const bytes = Array.from({ length: DEV_EUI_SUFFIX_BYTES }, () => random.integer(0, 255))
    const devEui = random.pick(DEV_EUI_PREFIXES) + Buffer.from(bytes).toString('hex')
    if (taken.has(devEui)) continue
    taken.add(devEui)
    return devEui
  }
}
