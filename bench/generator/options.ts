import { z } from 'zod'
import { MESSAGE_ITEMS_MAX } from '../../ingest/payloads.ts'
import {
  flagOption,
  helpOption,
  integerOption,
  OptionError,
  type OptionValues,
  optionalIntegerOption,
  optionalTextOption,
  parseOptions,
  textOption,
} from '../options.ts'
import type { LoadOptions } from './load.ts'
import { SLOTS_MAX } from './message-ring.ts'
import { FAULTS } from './mix.ts'
import { devicesPerConnection, type LoadPlan, messagesPerTurn } from './plan.ts'

/** Thirteen digits: from 2001 to 2286. */
const THIRTEEN_DIGITS = { min: 1_000_000_000_000, max: 9_999_999_999_999 }
/** Timers take no more milliseconds than fit into 32 bits. */
const SECONDS_MAX = 2_000_000
const IN_FLIGHT_OPEN_LOOP = 100
const ONE_IN = { min: 2, max: 1_000_000, unit: 'messages' }

/** The options of the load generator, named as in emqtt-bench where it has them. */
export const loadShape = {
  host: textOption({ short: 'h', value: 'HOST', help: 'MQTT server (127.0.0.1)', default: '127.0.0.1' }),
  port: integerOption({
    short: 'p',
    value: 'PORT',
    help: 'its port (1883)',
    ...{ min: 1, max: 65_535, default: 1883, unit: 'TCP port' },
  }),
  count: integerOption({
    short: 'c',
    value: 'N',
    help: 'connections, each a hub (20)',
    ...{ min: 1, max: 60_000, default: 20, unit: 'connections' },
  }),
  connrate: optionalIntegerOption({
    short: 'R',
    value: 'N',
    help: 'connects a second, instead of --interval',
    ...{ min: 1, max: 100_000, unit: 'connects a second' },
  }),
  interval: integerOption({
    short: 'i',
    value: 'MS',
    help: 'between two connects (10)',
    ...{ min: 0, max: 60_000, default: 10, unit: 'milliseconds' },
  }),
  interval_of_msg: optionalIntegerOption({
    short: 'I',
    value: 'MS',
    help: 'between two messages of a connection: open loop, latency counts from when a message was due',
    ...{ min: 1, max: 86_400_000, unit: 'milliseconds' },
  }),
  rate: optionalIntegerOption({
    value: 'N',
    help: 'messages a second of all connections together, instead of -I: open loop',
    ...{ min: 1, max: 10_000_000, unit: 'messages a second' },
  }),
  inflight: optionalIntegerOption({
    short: 'F',
    value: 'N',
    help: `messages of a connection that wait for their PUBACK (1; in an open loop ${IN_FLIGHT_OPEN_LOOP})`,
    ...{ min: 1, max: SLOTS_MAX, unit: 'messages' },
  }),
  qos: {
    short: 'q',
    value: '1',
    help: 'QoS 1, which the books need',
    schema: z
      .literal('1', 'expected 1: only what is acknowledged by a PUBACK can be compared with the database')
      .default('1'),
  },
  limit: optionalIntegerOption({
    short: 'L',
    value: 'N',
    help: 'messages of all connections together',
    ...{ min: 1, max: 1e12, unit: 'messages' },
  }),
  username: optionalTextOption({
    short: 'u',
    value: 'NAME',
    help: 'of the log-in, %i = number of the connection (the hub key: --prefix and %i)',
  }),
  password: textOption({ short: 'P', value: 'SECRET', help: 'of the log-in', default: '' }),
  topic: textOption({
    short: 't',
    value: 'TOPIC',
    help: '%i = number of the connection, %u = username (v1/hubs/%u/readings)',
    default: 'v1/hubs/%u/readings',
  }),
  'doors-topic': textOption({
    value: 'TOPIC',
    help: 'the same for door events (v1/hubs/%u/doors)',
    default: 'v1/hubs/%u/doors',
  }),
  keepalive: integerOption({
    short: 'k',
    value: 'S',
    help: 'keepalive, 0 = none (300)',
    ...{ min: 0, max: 65_535, default: 300, unit: 'seconds' },
  }),
  'readings-per-message': integerOption({
    value: 'N',
    help: 'each of another device (50)',
    ...{ min: 1, max: MESSAGE_ITEMS_MAX, default: 50, unit: 'readings' },
  }),
  devices: optionalIntegerOption({
    value: 'N',
    help: 'of all connections, each device belongs to one (as many as one message of each has readings)',
    ...{ min: 1, max: 10_000_000, unit: 'devices' },
  }),
  'eui-prefix': {
    value: 'HEX',
    help: 'what DevEUIs begin with; the number of the device, in hex, fills them up (be)',
    schema: z
      .string()
      .regex(/^[0-9a-f]{0,8}$/, 'expected at most 8 lower-case hex digits')
      .default('be'),
  },
  'fault-every': optionalIntegerOption({
    value: 'N',
    help: `one message in N has a fault, in turn: ${FAULTS.join(', ')} (none)`,
    ...ONE_IN,
  }),
  'doors-every': optionalIntegerOption({
    value: 'N',
    help: 'one message in N is of a door that opens and closes (none)',
    ...ONE_IN,
  }),
  'resend-every': optionalIntegerOption({
    value: 'N',
    help: 'one message in N is one that was acknowledged, sent again, every other one with DUP (none)',
    ...ONE_IN,
  }),
  prefix: textOption({
    value: 'TEXT',
    help: 'what hub keys begin with; numbers from 1 follow (bench-hub-)',
    default: 'bench-hub-',
  }),
  seconds: optionalIntegerOption({
    value: 'S',
    help: 'how long to send (10, without end where --limit is given)',
    ...{ min: 1, max: SECONDS_MAX, unit: 'seconds' },
  }),
  'warm-up': integerOption({
    value: 'S',
    help: 'sent before, in the ledger but not in the rates (0)',
    ...{ min: 0, max: 3_600, default: 0, unit: 'seconds' },
  }),
  'start-at': optionalIntegerOption({
    value: 'MS',
    help: 'time of the first reading of each device, epoch milliseconds (now)',
    ...THIRTEEN_DIGITS,
    unit: 'milliseconds',
  }),
  'step-ms': integerOption({
    value: 'MS',
    help: 'from one reading of a device to its next (1)',
    ...{ min: 1, max: 86_400_000, default: 1, unit: 'milliseconds' },
  }),
  json: optionalTextOption({ value: 'FILE', help: 'write the result there too' }),
  quiet: flagOption('no progress'),
  help: helpOption,
}

export type LoadCommand = OptionValues<typeof loadShape>

/** Reads the command line of `bench load`. Throws an `OptionError`. */
export function parseLoadCommand(args: readonly string[]): LoadCommand {
  return parseOptions('load', loadShape, args)
}

/** The load that the options ask for. `nowMs` is epoch milliseconds. Throws an `OptionError`. */
export function loadOptionsOf(command: LoadCommand, nowMs: number): LoadOptions {
  const { limit } = command
  const messageIntervalMs = intervalOf(command)
  const plan = planOf(command, nowMs)
  const inFlightMax = command.inflight ?? (messageIntervalMs === undefined ? 1 : IN_FLIGHT_OPEN_LOOP)
  checkRing(plan, inFlightMax)
  checkFaults(command)
  const name = (template: string, index: number) => template.replaceAll('%i', String(index))
  return {
    host: command.host,
    port: command.port,
    plan,
    mix: {
      faultEvery: command['fault-every'],
      doorsEvery: command['doors-every'],
      resendEvery: command['resend-every'],
    },
    username: (index) => name(command.username ?? `${command.prefix}%i`, index),
    password: command.password,
    topics: (index, username) => ({
      readings: name(command.topic, index).replaceAll('%u', username),
      doors: name(command['doors-topic'], index).replaceAll('%u', username),
    }),
    keepaliveSeconds: command.keepalive,
    connectIntervalMs: command.connrate === undefined ? command.interval : 1_000 / command.connrate,
    inFlightMax,
    messageIntervalMs,
    messagesMax: limit ?? Number.POSITIVE_INFINITY,
    warmUpSeconds: command['warm-up'],
    seconds: command.seconds ?? (limit === undefined ? 10 : Number.POSITIVE_INFINITY),
  }
}

/** Between two messages of a connection; undefined for a closed loop. */
function intervalOf({ count, rate, interval_of_msg: intervalMs }: LoadCommand): number | undefined {
  if (rate === undefined) return intervalMs
  if (intervalMs !== undefined) {
    throw new OptionError(
      '--rate and --interval_of_msg: expected one of the two, both say how often is sent.',
    )
  }
  return (count * 1_000) / rate
}

function planOf(command: LoadCommand, nowMs: number): LoadPlan {
  const { count: connections, 'readings-per-message': readingsPerMessage } = command
  const devices = command.devices ?? connections * readingsPerMessage
  const each = devicesPerConnection({ connections, readingsPerMessage, devices })
  if (each === 0) {
    throw new OptionError(
      `--devices=${devices}: expected at least ${connections * readingsPerMessage}, so that each of ${connections} ` +
        `connections has ${readingsPerMessage} of its own, one for each reading of a message.`,
    )
  }
  return {
    connections,
    readingsPerMessage,
    devicesPerConnection: each,
    euiPrefix: command['eui-prefix'],
    startAtMs: command['start-at'] ?? nowMs,
    stepMs: command['step-ms'],
  }
}

/** A reading that stands in its message twice must not make it longer than the protocol allows. */
function checkFaults(command: LoadCommand): void {
  const readings = command['readings-per-message']
  if (command['fault-every'] === undefined || readings < MESSAGE_ITEMS_MAX) return
  throw new OptionError(
    `--readings-per-message=${readings}: expected at most ${MESSAGE_ITEMS_MAX - 1} with --fault-every, because one of ` +
      'the faults adds a reading.',
  )
}

function checkRing(plan: LoadPlan, inFlightMax: number): void {
  const perTurn = messagesPerTurn(plan)
  if (Math.ceil(inFlightMax / perTurn) * perTurn <= SLOTS_MAX) return
  throw new OptionError(
    `A connection would need more than ${SLOTS_MAX} packet ids to take turns through ${plan.devicesPerConnection} ` +
      'devices: expected fewer devices, more connections or a lower --inflight.',
  )
}
