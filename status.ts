import type { Broker } from './broker/broker.ts'
import type { StatusSnapshot } from './console/console.ts'
import type { Account } from './ingest/books.ts'
import type { Ingest } from './ingest/ingest.ts'

/** What the status page shows. */
export function statusOf(broker: Broker, ingest: Ingest): StatusSnapshot {
  const { counters } = broker
  return {
    Broker: {
      'hubs connected': broker.connectedHubs(),
      'messages received': counters.messagesAccepted,
      'log-ins': counters.logInsAccepted,
      'log-ins refused': total(counters.logInsRefused),
      'publishes refused': counters.publishesRefused,
      'subscribes refused': counters.subscribesRefused,
      'oversized messages': counters.messagesOversized,
    },
    Readings: accountOf(ingest.books.readings),
    'Door events': accountOf(ingest.books.doors),
    Process: {
      'uptime (s)': Math.round(process.uptime()),
      'memory (MB)': Math.round(process.memoryUsage.rss() / 1e6),
      'devices known': ingest.registry.deviceCount,
    },
  }
}

function accountOf(account: Account): Record<string, number> {
  const { received, committed, duplicate, rejected, inFlight } = account
  return { received, committed, duplicate, rejected: total(rejected), 'in flight': inFlight }
}

function total(counts: Record<string, number>): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0)
}
