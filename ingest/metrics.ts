import { Counter, Gauge, Histogram, type Registry } from 'prom-client'
import { type Account, type Books, imbalance } from './books.ts'
import { PlainHistogram } from './plain-histogram.ts'
import type { RecentFrames } from './recent-frames.ts'

const PREFIX = 'frostguard_'

export interface IngestMetrics {
  copySeconds: Histogram
  copyRows: Histogram
  acknowledgeSeconds: PlainHistogram
  fieldsIgnored: Counter
  batchRetries: Counter
  backlogMessages: Counter
  suspectedResends: Counter
  networkEventsIgnored: Counter
}

/** Registers the metrics of ingest (protocol.md, "Running"); the books are read when the page is asked for. */
export function createIngestMetrics(
  register: Registry,
  books: Books,
  frames: Pick<RecentFrames, 'repeated'>,
): IngestMetrics {
  registerAccount(register, 'readings', 'readings', books.readings)
  registerAccount(register, 'door_events', 'door events', books.doors)
  registerRejected(register, 'status_rejected_total', 'Status messages rejected', books.status)
  const registers = [register]
  new Counter({
    name: `${PREFIX}lora_frames_repeated_total`,
    help: 'Frames of LoRaWAN devices that have come a second time as another message; stored once',
    registers,
    collect() {
      this.reset()
      this.inc(frames.repeated)
    },
  })
  return {
    suspectedResends: new Counter({
      name: `${PREFIX}suspected_resends_total`,
      help: 'Readings written the way for those that may be stored already: resends, by DUP or because they came a moment ago',
      registers,
    }),
    networkEventsIgnored: new Counter({
      name: `${PREFIX}network_events_ignored_total`,
      help: 'Events of LoRaWAN network servers that were acknowledged, and of which nothing is stored',
      labelNames: ['server', 'event'],
      registers,
    }),
    batchRetries: new Counter({
      name: `${PREFIX}batch_retries_total`,
      help: 'Attempts to commit a batch that failed and were repeated',
      registers,
    }),
    backlogMessages: new Counter({
      name: `${PREFIX}backlog_messages_total`,
      help: 'Messages whose readings were old when they arrived: they wait behind live ones',
      registers,
    }),
    fieldsIgnored: new Counter({
      name: `${PREFIX}fields_ignored_total`,
      help: 'Fields around the items that were bad and ignored, for example boot or sent_at',
      registers,
    }),
    copySeconds: new Histogram({
      name: `${PREFIX}copy_seconds`,
      help: 'Time that a batch took, from asking for a connection to the answer to COMMIT',
      buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
      registers,
    }),
    copyRows: new Histogram({
      name: `${PREFIX}copy_rows`,
      help: 'Readings and door events in a batch',
      buckets: [1, 10, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000],
      registers,
    }),
    acknowledgeSeconds: new PlainHistogram({
      name: `${PREFIX}acknowledge_seconds`,
      help: 'From the arrival of a message to its PUBACK or PUBREC',
      buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
      register,
    }),
  }
}

function registerAccount(register: Registry, name: string, words: string, account: Account): void {
  const counters: Record<string, [string, () => number]> = {
    received: [`The ${words} received; a message rejected whole counts as one`, () => account.received],
    committed: [`The ${words} committed to the database`, () => account.committed],
    duplicate: [`The ${words} that were stored already`, () => account.duplicate],
    returned: [`The ${words} given back to their client, not acknowledged`, () => account.returned],
  }
  for (const [kind, [help, read]] of Object.entries(counters)) {
    new Counter({
      name: `${PREFIX}${name}_${kind}_total`,
      help,
      registers: [register],
      collect() {
        this.reset()
        this.inc(read())
      },
    })
  }
  registerRejected(register, `${name}_rejected_total`, `The ${words} set aside`, account)
  new Gauge({
    name: `${PREFIX}${name}_imbalance`,
    help: `The ${words} received and not accounted for; 0 while the books balance`,
    registers: [register],
    collect() {
      this.set(imbalance(account))
    },
  })
  new Gauge({
    name: `${PREFIX}${name}_in_flight`,
    help: `The ${words} received and not yet durable`,
    registers: [register],
    collect() {
      this.set(account.inFlight)
    },
  })
}

function registerRejected(register: Registry, name: string, help: string, account: Account): void {
  new Counter({
    name: PREFIX + name,
    help,
    labelNames: ['reason'],
    registers: [register],
    collect() {
      this.reset()
      for (const [reason, count] of Object.entries(account.rejected)) this.inc({ reason }, count)
    },
  })
}
