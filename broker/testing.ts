import { connect as connectSocket, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { connectAsync, type IClientOptions, type MqttClient } from 'mqtt'
import { generate, type Packet, parser } from 'mqtt-packet'
import { pino } from 'pino'
import { parseSettings } from '../settings.ts'
import { type Broker, type BrokerOptions, createBroker } from './broker.ts'
import { brokerSettings } from './config.ts'
import type { Addresses } from './listeners.ts'
import { watchEventLoop } from './testing-event-loop.ts'
import type { Accept, Arrival, Authenticate, Principal } from './types.ts'

/** Everything a test opened, closed in reverse order by `closeAll`. */
const opened: (() => Promise<unknown> | unknown)[] = []

/** A longer stall of the event loop keeps hubs waiting, and cuts them off in the end. */
const STALL_MS_MAX = 1_000
let loop: ReturnType<typeof watchEventLoop> | undefined

/** To be called after each test. Fails when a broker in this process has stood still for too long. */
export async function closeAll(): Promise<void> {
  for (const close of opened.splice(0).reverse()) await close()
  const stallMs = loop?.longestStallMs() ?? 0
  loop = undefined
  if (stallMs > STALL_MS_MAX) throw new Error(`the event loop stood still for ${Math.round(stallMs)} ms`)
}

/** Polls until `condition` holds; fails with `what` after 20 s. */
export async function until(condition: () => boolean, what: string): Promise<void> {
  for (let tries = 0; tries < 4_000; tries++) {
    if (condition()) return
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  throw new Error(`did not happen: ${what}`)
}

/** `hub-1`, `device:{eui}`, `ns:{key}` and `operator:{slug}` may log in, with the password `secret`. */
export function principalOf(username: string): Principal {
  const [prefix, rest] = username.split(':')
  const kinds: Record<string, Principal['kind']> = {
    device: 'device',
    ns: 'network_server',
    operator: 'operator',
  }
  return {
    kind: (rest !== undefined && kinds[prefix ?? '']) || 'hub',
    name: rest ?? username,
    username,
    organizationId: 1,
    id: 1,
    credentialHash: 'hash',
  }
}

const authenticate: Authenticate = async ({ username = '', password, certificateName }) =>
  certificateName !== undefined || password?.toString() === 'secret'
    ? { ok: true, principal: principalOf(username) }
    : { ok: false, refusal: 'bad_credentials', reason: 'wrong password' }

export interface TestBroker {
  broker: Broker
  addresses: Addresses
  /** What `accept` was given, in order. */
  arrivals: Arrival[]
  presence: string[]
}

export interface TestBrokerOptions extends Partial<Omit<BrokerOptions, 'settings'>> {
  /** Settings as in the environment. */
  env?: Record<string, string>
}

/** A broker on free ports, which takes every message at once unless `accept` says otherwise. */
export async function startBroker({ env, ...options }: TestBrokerOptions = {}): Promise<TestBroker> {
  loop ??= watchEventLoop()
  const arrivals: Arrival[] = []
  const presence: string[] = []
  const { accept = (_arrival, done) => done() } = options
  const broker = await createBroker({
    authenticate,
    stillValid: () => true,
    presence: {
      connected: ({ username }) => presence.push(`+${username}`),
      disconnected: ({ username }, last) => presence.push(`-${username}${last ? ' last' : ''}`),
    },
    log: pino({ level: 'silent' }),
    ...options,
    settings: parseSettings(brokerSettings, { MQTT_PORT: '0', MQTT_TLS_PORT: '0', ...env }),
    accept: (arrival, done) => {
      arrivals.push(arrival)
      accept(arrival, done)
    },
  })
  opened.push(() => broker.close())
  return { broker, addresses: await broker.listen(), arrivals, presence }
}

/** An `accept` that answers only when the test says so. */
export function holding() {
  const held: ((error?: Error) => void)[] = []
  const accept: Accept = (_arrival, done) => held.push(done)
  return { held, accept }
}

/** An MQTT.js client that is connected and does not reconnect. */
export async function connectClient(port: number, options: IClientOptions = {}): Promise<MqttClient> {
  const client = await connectAsync({
    host: '127.0.0.1',
    port,
    username: 'hub-1',
    password: 'secret',
    protocolVersion: 4,
    reconnectPeriod: 0,
    ...options,
  })
  client.on('error', () => {})
  opened.push(() => client.endAsync(true))
  return client
}

type PacketOf<C extends Packet['cmd']> = Extract<Packet, { cmd: C }>

/** A client that sends exactly the packets or bytes it is told to, over any stream. */
export class RawClient {
  readonly stream: Duplex
  readonly received: Packet[] = []
  closed = false

  constructor(stream: Duplex) {
    this.stream = stream
    const packets = parser({ protocolVersion: 4 })
    packets.on('packet', (packet: Packet) => this.received.push(packet))
    // To a packet without its packet id Aedes begins an answer that it cannot end; then it closes the connection.
    packets.on('error', () => {})
    stream.on('data', (bytes: Buffer) => packets.parse(bytes))
    stream.on('error', () => {})
    stream.on('close', () => {
      this.closed = true
    })
    opened.push(() => stream.destroy())
  }

  send(...packets: Packet[]): void {
    this.stream.write(Buffer.concat(packets.map((packet) => generate(packet))))
  }

  sendBytes(bytes: Buffer): void {
    this.stream.write(bytes)
  }

  all<C extends Packet['cmd']>(cmd: C): PacketOf<C>[] {
    return this.received.filter((packet): packet is PacketOf<C> => packet.cmd === cmd)
  }

  /** Waits for the nth packet of a kind. */
  async next<C extends Packet['cmd']>(cmd: C, count = 1): Promise<PacketOf<C>> {
    await until(() => this.all(cmd).length >= count || this.closed, `${cmd} number ${count}`)
    const packet = this.all(cmd)[count - 1]
    if (!packet) throw new Error(`the connection closed before ${cmd} number ${count}`)
    return packet
  }

  async close(): Promise<void> {
    this.stream.destroy()
    await this.untilClosed()
  }

  untilClosed(): Promise<void> {
    return until(() => this.closed, 'the connection closed')
  }
}

/** A plain socket to the broker. */
export async function openSocket(port: number): Promise<Socket> {
  const socket = connectSocket({ host: '127.0.0.1', port })
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve)
    socket.once('error', reject)
  })
  return socket
}

export async function openRaw(port: number): Promise<RawClient> {
  return new RawClient(await openSocket(port))
}

export function connectPacket(fields: Partial<PacketOf<'connect'>> = {}): PacketOf<'connect'> {
  return {
    cmd: 'connect',
    protocolId: 'MQTT',
    protocolVersion: 4,
    clean: true,
    clientId: 'client',
    keepalive: 0,
    username: 'hub-1',
    password: Buffer.from('secret'),
    ...fields,
  }
}

export function publishPacket(fields: Partial<PacketOf<'publish'>> = {}): PacketOf<'publish'> {
  return {
    cmd: 'publish',
    topic: 'v1/hubs/hub-1/readings',
    payload: Buffer.from('{}'),
    qos: 1,
    dup: false,
    retain: false,
    messageId: 1,
    ...fields,
  }
}

/** A raw client that has logged in. */
export async function logInRaw(port: number, fields: Partial<PacketOf<'connect'>> = {}): Promise<RawClient> {
  const client = await openRaw(port)
  client.send(connectPacket(fields))
  await client.next('connack')
  return client
}

/** Random numbers from 0 to 1 that repeat with their seed (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

export function randomSeed(): number {
  return Math.floor(Math.random() * 2 ** 31)
}
