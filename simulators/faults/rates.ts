/** What a rate counts, and the largest one that makes sense: above it there would be nothing but faults. */
const UNITS = {
  message: { text: 'probability per message', max: 1 },
  reading: { text: 'probability per reading', max: 1 },
  hub: { text: 'per hub and hour', max: 3_600 },
  device: { text: 'per device and hour', max: 3_600 },
  unit: { text: 'per unit and hour', max: 3_600 },
} as const

interface FaultKind {
  unit: keyof typeof UNITS
  /** The rate in the profile "demo". */
  demo: number
  /** For --help. */
  does: string
}

/** Every fault that can be simulated. Hours are hours of the clock, however fast the physics run. */
export const FAULT_NAMES = {
  late: { unit: 'message', demo: 0.01, does: 'is held back for minutes' },
  duplicate: { unit: 'message', demo: 0.02, does: 'is sent again after its PUBACK' },
  out_of_order: { unit: 'message', demo: 0.02, does: 'changes places with another, or its readings do' },
  missing: { unit: 'reading', demo: 0.005, does: 'is never sent' },
  malformed: { unit: 'message', demo: 0.002, does: 'is garbage, or has one bad reading' },
  clock_drift: { unit: 'hub', demo: 0.2, does: "the hub's clock is off and drifts, until it is corrected" },
  reboot: { unit: 'hub', demo: 0.3, does: 'the hub restarts' },
  flapping: { unit: 'hub', demo: 0.3, does: 'the hub loses its connection several times within a minute' },
  sensor_death: { unit: 'device', demo: 0.06, does: 'the sensor falls silent, is stuck or has no probe' },
  compressor_failure: { unit: 'unit', demo: 0.1, does: 'the unit is not cooled until it is repaired' },
  door_left_open: { unit: 'unit', demo: 0.2, does: 'the door stays open until somebody closes it' },
} as const satisfies Record<string, FaultKind>

export type FaultName = keyof typeof FAULT_NAMES

const NAMES = Object.keys(FAULT_NAMES) as FaultName[]
const PROFILES = { none: () => 0, demo: (name: FaultName) => FAULT_NAMES[name].demo }

/**
 * Reads "none", "demo", or a profile with changes such as "demo,duplicate=0.05,late=0"; changes alone start from "none",
 * and of a name given twice the last counts. Throws an `Error` that lists the names with their units.
 */
export function parseFaults(text: string): Record<FaultName, number> {
  const [first = '', ...rest] = text.split(',').map((part) => part.trim())
  const profile = Object.hasOwn(PROFILES, first) ? (first as keyof typeof PROFILES) : undefined
  const changes = (profile === undefined ? [first, ...rest] : rest).map(parseChange)
  const start = NAMES.map((name) => [name, PROFILES[profile ?? 'none'](name)] as const)
  return Object.fromEntries([...start, ...changes]) as Record<FaultName, number>
}

function parseChange(change: string): [FaultName, number] {
  const [name = '', value = '', ...more] = change.split('=').map((part) => part.trim())
  if (!isFaultName(name)) throw unreadable(change, `"${name}" is no fault`)
  const { max } = UNITS[FAULT_NAMES[name].unit]
  const rate = Number(value)
  if (more.length > 0 || value === '' || !(rate >= 0 && rate <= max)) {
    throw unreadable(change, `${name} takes a number from 0 to ${max}`)
  }
  return [name, rate]
}

function isFaultName(name: string): name is FaultName {
  return Object.hasOwn(FAULT_NAMES, name)
}

function unreadable(change: string, reason: string): Error {
  return new Error(
    `The faults cannot be read at "${change}": ${reason}. Give none, demo, or a list such as ` +
      `"demo,duplicate=0.05,late=0", of these:\n${describeFaults()}`,
  )
}

/** Every fault with its unit, its rate in the profile "demo", and what it does: one line each, for --help. */
export function describeFaults(): string {
  return NAMES.map((name) => {
    const { unit, demo, does } = FAULT_NAMES[name]
    return `  ${name.padEnd(20)}${UNITS[unit].text.padEnd(25)}demo ${String(demo).padEnd(7)}${does}`
  }).join('\n')
}
