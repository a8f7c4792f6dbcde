import type { Broker } from '../broker/broker.ts'
import type { StatusSnapshot } from '../console/console.ts'
import type { Account } from '../ingest/books.ts'
import type { Ingest } from '../ingest/ingest.ts'
import type { Spool } from '../ingest/spool/types.ts'

/** What the status page shows. */
export function statusOf(broker: Broker, ingest: Ingest, spool: Spool): StatusSnapshot {
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
    Database: {
      'away (s)': Math.round(ingest.gate.awayMs(performance.now()) / 1000),
      'batches in the spool': spool.stats.batches,
      'spool on disk (MB)': Math.round(spool.stats.bytes / 1e6),
    },
    Process: {
      'uptime (s)': Math.round(process.uptime()),
      'memory (MB)': Math.round(process.memoryUsage.rss() / 1e6),
      'devices known': ingest.registry.deviceCount,
    },
  }
}

function accountOf(account: Account): Record<string, number> {
  const { received, committed, duplicate, rejected, spooled, inFlight } = account
  return {
    received,
    committed,
    duplicate,
    rejected: total(rejected),
    'in the spool': spooled,
    'in flight': inFlight,
  }
}

function total(counts: Record<string, number>): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0)
}
