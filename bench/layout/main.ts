import { Client } from 'pg'
import { openBenchServer } from '../database/server.ts'
import {
  describeOptions,
  helpOption,
  integerOption,
  OptionError,
  type OptionValues,
  parseOptions,
} from '../options.ts'
import { arrivals } from './arrivals.ts'
import { LAYOUTS } from './layouts.ts'
import {
  type Batch,
  createPartition,
  encodeBatches,
  type OpenPartition,
  readUntil,
  sizeOf,
  writeBatches,
} from './open-partition.ts'

const ROWS_MAX = 1_000_000_000

const layoutShape = {
  devices: integerOption({
    value: 'N',
    help: 'size of the fleet (100000)',
    ...{ min: 1, max: 10_000_000, default: 100_000, unit: 'devices' },
  }),
  rows: integerOption({
    value: 'N',
    help: 'rows in the partition at the end (4000000)',
    ...{ min: 1, max: ROWS_MAX, default: 4_000_000, unit: 'rows' },
  }),
  step: integerOption({
    value: 'N',
    help: 'rows between two measurements, a multiple of --batch (500000)',
    ...{ min: 1, max: ROWS_MAX, default: 500_000, unit: 'rows' },
  }),
  batch: integerOption({
    value: 'N',
    help: 'rows a COPY (10000)',
    ...{ min: 1, max: 1_000_000, default: 10_000, unit: 'rows' },
  }),
  interval: integerOption({
    value: 'S',
    help: 'seconds between two readings of a device (300)',
    ...{ min: 1, max: 86_400, default: 300, unit: 'seconds' },
  }),
  help: helpOption,
}

type LayoutOptions = OptionValues<typeof layoutShape>

export const LAYOUT_HELP = `npm run bench -- layout [options]

Compares ways to key a partition of sensor_readings: rows per second while it grows, bytes per reading, how long it
takes to read the last 24 hours of a device and of a unit while it is written, and what closing it costs and gives.

${describeOptions(layoutShape)}
`

const MILLION = 1_000_000

/** Reads the command line of `bench layout`. Throws an `OptionError`. */
export function parseLayoutOptions(args: readonly string[]): LayoutOptions {
  const options = parseOptions('layout', layoutShape, args)
  if (options.step % options.batch === 0) return options
  throw new OptionError(`--step=${options.step}: expected a multiple of --batch, which is ${options.batch}.`)
}

/**
 * `npm run bench -- layout`: on an embedded PostgreSQL of its own with the settings that `npm start` gives it. What it
 * opens is put on `resources`.
 */
export async function runLayout(options: LayoutOptions, resources: AsyncDisposableStack): Promise<void> {
  const server = await openBenchServer({ databaseUrl: undefined, dataDir: undefined, resources })
  const { url } = await server.createDatabase()
  const connect = async () => {
    const client = new Client({ connectionString: url })
    // After Ctrl-C the server ends under it: its query fails, and that is enough.
    client.on('error', () => {})
    await client.connect()
    resources.defer(() => client.end())
    return client
  }
  await compare(await connect(), await connect(), options)
}

async function compare(writer: Client, reader: Client, options: LayoutOptions): Promise<void> {
  const rows = arrivals({
    devices: options.devices,
    devicesPerHub: 20,
    intervalMs: options.interval * 1_000,
    hubSendMs: 60_000,
  })
  const partitions: OpenPartition[] = []
  for (const [index, layout] of LAYOUTS.entries()) {
    partitions.push(await createPartition(writer, layout, `bench_${index}`))
  }
  console.log(`${options.devices} devices, one partition, ${options.batch} rows a COPY`)
  console.log(HEADINGS)
  let newest = 0
  for (let stored = 0, step = 0; stored < options.rows; stored += options.step, step += 1) {
    const batches = encodeBatches(rows, {
      batches: options.step / options.batch,
      rowsPerBatch: options.batch,
    })
    newest = batches.at(-1)?.newestMs ?? newest
    const half = Math.ceil(batches.length / 2)
    const newestMs = batches[half - 1]?.newestMs ?? newest
    // The first half is timed alone, the second is written while the partition is read. Turns rotate: the machine drifts.
    for (let turn = 0; turn < partitions.length; turn += 1) {
      const partition = partitions[(turn + step) % partitions.length]
      if (!partition) continue
      const seconds = await writeBatches(writer, partition.table, batches.slice(0, half))
      for (const sql of partition.layout.keep(partition.table)) await writer.query(sql)
      const reads = await readWhileWriting(writer, reader, {
        table: partition.table,
        batches: batches.slice(half),
        devices: options.devices,
        newestMs,
      })
      print(partition, {
        rows: stored + options.step,
        perSecond: (half * options.batch) / seconds,
        reads,
        bytes: await bytesPerRow(writer, partition.table, stored + options.step),
      })
    }
  }
  for (const partition of partitions) await close(writer, reader, { partition, options, newestMs: newest })
}

interface Reads {
  device: number[]
  unit: number[]
}

async function readWhileWriting(
  writer: Client,
  reader: Client,
  options: { table: string; batches: readonly Batch[]; devices: number; newestMs: number },
): Promise<Reads> {
  const { table, batches, devices, newestMs } = options
  const half = Math.ceil(batches.length / 2)
  const during = async (of: 'device' | 'unit', part: readonly Batch[]) => {
    let done = false
    const writing = writeBatches(writer, table, part).finally(() => {
      done = true
    })
    const taken = await readUntil(reader, table, { devices, of, newestMs, isDone: () => done })
    await writing
    return taken
  }
  return {
    device: await during('device', batches.slice(0, half)),
    unit: await during('unit', batches.slice(half)),
  }
}

async function close(
  writer: Client,
  reader: Client,
  { partition, options, newestMs }: { partition: OpenPartition; options: LayoutOptions; newestMs: number },
): Promise<void> {
  const began = performance.now()
  for (const sql of partition.layout.close(partition.table)) await writer.query(sql)
  const seconds = (performance.now() - began) / 1_000
  const until = performance.now() + 2_000
  const isDone = () => performance.now() > until
  const device = await readUntil(reader, partition.table, {
    devices: options.devices,
    of: 'device',
    newestMs,
    isDone,
  })
  print(partition, {
    rows: options.rows,
    perSecond: options.rows / seconds,
    reads: { device, unit: [] },
    bytes: await bytesPerRow(writer, partition.table, options.rows),
    closed: true,
  })
}

async function bytesPerRow(client: Client, table: string, rows: number) {
  const size = await sizeOf(client, table)
  return { table: size.rows / rows, indexes: size.indexes / rows }
}

const HEADINGS = [
  'layout'.padEnd(20),
  'rows (M)'.padStart(9),
  'rows/s'.padStart(10),
  'bytes a row'.padStart(16),
  'device p50/p99 ms'.padStart(20),
  'unit p50/p99 ms'.padStart(20),
].join('')

function print(
  partition: OpenPartition,
  figures: {
    rows: number
    perSecond: number
    reads: Reads
    bytes: { table: number; indexes: number }
    closed?: boolean
  },
): void {
  const { table, indexes } = figures.bytes
  console.log(
    [
      partition.layout.name.padEnd(20),
      (figures.rows / MILLION).toFixed(2).padStart(9),
      Math.round(figures.perSecond).toString().padStart(10),
      `${table.toFixed(1)}+${indexes.toFixed(1)}`.padStart(16),
      percentiles(figures.reads.device).padStart(20),
      percentiles(figures.reads.unit).padStart(20),
      figures.closed ? '  closed (rows/s of closing)' : '',
    ].join(''),
  )
}

function percentiles(taken: readonly number[]): string {
  if (taken.length === 0) return '-'
  const sorted = [...taken].sort((a, b) => a - b)
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0
  return `${at(0.5).toFixed(1)} / ${at(0.99).toFixed(1)}`
}
