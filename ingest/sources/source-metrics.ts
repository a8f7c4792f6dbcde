import { Counter, Gauge, type Registry } from 'prom-client'
import type { Budget } from './budget.ts'
import type { Source } from './source.ts'

const PREFIX = 'frostguard_source_'

/** Registers what each source counts. */
export function registerSourceMetrics(register: Registry, sources: readonly Source[], budget: Budget): void {
  const gauges: [name: string, help: string, read: (source: Source) => number][] = [
    ['connected', 'Whether the source is connected and subscribed', (source) => Number(source.isConnected)],
    ['messages_in_flight', 'Messages of the source that are not durable yet', (source) => source.inFlight],
  ]
  const counters: typeof gauges = [
    ['messages_received', 'Messages of the source that were taken', ({ counters }) => counters.received],
    ['messages_acknowledged', 'PUBACKs sent to the source', ({ counters }) => counters.acknowledged],
    ['reconnects', 'Connections to the source after the first', ({ counters }) => counters.reconnects],
    [
      'sessions_lost',
      'Reconnects on which the broker had the session no more: what it had taken for it meanwhile is lost',
      ({ counters }) => counters.sessionsLost,
    ],
  ]
  for (const [name, help, read] of gauges) gauge(register, name, help, { sources, read })
  for (const [name, help, read] of counters) counter(register, name, help, { sources, read })
  registerIgnored(register, sources)
  new Gauge({
    name: 'frostguard_sources_away',
    help: 'Sources that are not connected and subscribed',
    registers: [register],
    collect() {
      this.set(sources.filter(({ isConnected }) => !isConnected).length)
    },
  })
  new Gauge({
    name: 'frostguard_sources_held_bytes',
    help: 'Memory of the messages of all sources that wait for their commit',
    registers: [register],
    collect() {
      this.set(budget.bytes)
    },
  })
}

interface Values {
  sources: readonly Source[]
  read: (source: Source) => number
}

function gauge(register: Registry, name: string, help: string, { sources, read }: Values): void {
  new Gauge({
    name: PREFIX + name,
    help,
    labelNames: ['source'],
    registers: [register],
    collect() {
      for (const source of sources) this.set({ source: source.key }, read(source))
    },
  })
}

function counter(register: Registry, name: string, help: string, { sources, read }: Values): void {
  new Counter({
    name: `${PREFIX}${name}_total`,
    help,
    labelNames: ['source'],
    registers: [register],
    collect() {
      this.reset()
      for (const source of sources) this.inc({ source: source.key }, read(source))
    },
  })
}

function registerIgnored(register: Registry, sources: readonly Source[]): void {
  new Counter({
    name: `${PREFIX}messages_ignored_total`,
    help: 'Messages not taken: on a topic that is no data of ours, retained from before, or lost (QoS 0, not to be stored)',
    labelNames: ['source', 'reason'],
    registers: [register],
    collect() {
      this.reset()
      for (const { key, counters } of sources)
        for (const [reason, count] of Object.entries(counters.ignored))
          this.inc({ source: key, reason }, count)
    },
  })
}
