import { Counter, Gauge, type Registry } from 'prom-client'
import type { Broker } from '../broker/broker.ts'
import type { Ingest } from '../ingest/ingest.ts'
import type { Sources } from '../ingest/sources/sources.ts'
import type { Spool } from '../ingest/spool/types.ts'

const PREFIX = 'frostguard_'

/** Registers what the broker counts. */
export function registerServiceMetrics(
  register: Registry,
  { broker, ingest, spool, sources }: { broker: Broker; ingest: Ingest; spool: Spool; sources: Sources },
): void {
  const { counters } = broker
  counter(
    register,
    'messages_received_total',
    'Messages taken from clients and sources',
    () => counters.messagesAccepted + sources.received,
  )
  counter(
    register,
    'log_in_verifications_total',
    'scrypt runs; none for a secret that was verified before',
    () => ingest.authentication.verifications,
  )
  counter(
    register,
    'log_ins_from_memory_total',
    'Log-ins decided by what was last loaded, because the database did not answer',
    () => ingest.authentication.fromMemory,
  )
  gauge(register, 'oldest_batch_seconds', 'How long the oldest batch under way has been waiting', () =>
    ingest.oldestBatchSeconds(),
  )
  for (const queue of ['live', 'backlog'] as const) {
    gauge(register, `${queue}_messages_waiting`, `Messages of the ${queue} queue that wait for a lane`, () =>
      ingest.waiting(queue),
    )
  }
  gauge(register, 'hubs_connected', 'Hubs connected now', () => broker.connectedHubs())
  registerBrokerGauges(register, broker)
  for (const name of Object.keys(counters) as (keyof typeof counters)[]) {
    brokerCounter(register, snakeCase(name), () => counters[name])
  }
  registerSpool(register, ingest, spool)
}

/** What of the broker's limits is in use now; `broker_held_bytes` is memory, see MQTT_HELD_BYTES_MAX. */
function registerBrokerGauges(register: Registry, broker: Broker): void {
  const gauges: [name: string, help: string, read: () => number][] = [
    ['connections', 'Open sockets', () => broker.openConnections()],
    [
      'connections_unauthenticated',
      'Sockets without a CONNECT, and log-ins being checked',
      () => broker.unauthenticatedConnections(),
    ],
    [
      'connections_waiting',
      'Connections not read because their next message must wait',
      () => broker.waitingConnections(),
    ],
    ['held_bytes', 'Memory of the messages that wait for their commit', () => broker.heldBytes()],
    ['hubs_flapping', 'Hubs that log in more often than they should', () => broker.flappingHubs().length],
    [
      'locked_out',
      'Pairs of username and address, and addresses, locked out after wrong log-ins',
      () => broker.lockedOut(),
    ],
  ]
  for (const [name, help, read] of gauges) gauge(register, `broker_${name}`, help, read)
}

function registerSpool(register: Registry, ingest: Ingest, spool: Spool): void {
  for (const [name, words, account] of [
    ['readings', 'readings', ingest.books.readings],
    ['door_events', 'door events', ingest.books.doors],
  ] as const) {
    counter(
      register,
      `${name}_spooled_total`,
      `The ${words} that went through the spool`,
      () => account.spooledTotal,
    )
    gauge(register, `${name}_spooled`, `The ${words} in the spool now`, () => account.spooled)
  }
  gauge(register, 'spool_bytes', 'Bytes that the spool takes on disk', () => spool.stats.bytes)
  gauge(
    register,
    'database_away_seconds',
    'How long the database has taken nothing; 0 while it does',
    () => ingest.gate.awayMs(performance.now()) / 1000,
  )
}

function counter(register: Registry, name: string, help: string, read: () => number): void {
  new Counter({
    name: PREFIX + name,
    help,
    registers: [register],
    collect() {
      this.reset()
      this.inc(read())
    },
  })
}

/** A count, or counts by reason. */
function brokerCounter(
  register: Registry,
  name: string,
  read: () => number | Readonly<Record<string, number>>,
): void {
  new Counter({
    name: `${PREFIX}broker_${name}_total`,
    help: `Broker: ${name.replaceAll('_', ' ')}`,
    labelNames: typeof read() === 'number' ? [] : ['reason'],
    registers: [register],
    collect() {
      this.reset()
      const value = read()
      if (typeof value === 'number') this.inc(value)
      else for (const [reason, count] of Object.entries(value)) this.inc({ reason }, count)
    },
  })
}

function gauge(register: Registry, name: string, help: string, read: () => number): void {
  new Gauge({
    name: PREFIX + name,
    help,
    registers: [register],
    collect() {
      this.set(read())
    },
  })
}

function snakeCase(name: string): string {
  return name.replaceAll(/[A-Z]+/g, (part) => `_${part.toLowerCase()}`)
}
