/**
 * An hour without the database: 200 hubs with 20 sensors, a reading of each every ten seconds, sent as fast as they are
 * acknowledged. Run alone, with an hour of another length or with minutes in real time before it:
 *
 *   OUTAGE_MINUTES=60 OUTAGE_REAL_MINUTES=5 npx vitest run --config vitest.soak.config.ts faults/outage
 */
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import { residentBytesOf } from '../bench/processes/usage.ts'
import { startUsage } from '../bench/processes/usage-meter.ts'
import { type LoadedService, startLoadedService } from './testing/loaded-service.ts'
import { type ProxiedServer, startProxiedServer } from './testing/proxied-server.ts'
import { untilSettled } from './testing/settled.ts'
import { MEASURED_EVERY_MS, SteadyFleet } from './testing/steady-fleet.ts'

const HUBS = 200
const SENSORS = 20
const MIB = 1_048_576
/** More than idle; the service's bound for an outage. */
const MEMORY_BYTES_MAX = 300 * MIB
/** The default of the setting. */
const SPOOL_BYTES_MAX = 1_024 * MIB
const SMALL_SPOOL_BYTES = 32 * MIB
/** Of each hub: more than that spool takes, and more than MQTT_HELD_BYTES_MAX. */
const SMALL_SPOOL_MESSAGES = 200
const IN_FLIGHT = 10
const BEFORE_MS = 10_000
/** One message of any hub so often, beside the drain and before: half of what the fleet sends in real time. */
const PACE_MS = (MEASURED_EVERY_MS / HUBS) * 2
const STALLED_MS = 60_000
const SETTLE_MS = 3_000
const TEST_MS_MAX = 3_600_000

const minutes = numberOf('OUTAGE_MINUTES', 60)
const realMinutes = numberOf('OUTAGE_REAL_MINUTES', 0)

function numberOf(name: string, otherwise: number): number {
  const text = process.env[name] ?? String(otherwise)
  const value = Number(text)
  if (text.trim() !== '' && value >= 0 && value <= 600) return value
  throw new Error(`${name}=${text}: expected a number of minutes from 0 to 600.`)
}

interface Outage {
  server: ProxiedServer
  service: LoadedService
  fleet: SteadyFleet
}

async function open(env: Record<string, string>): Promise<Outage> {
  const server = await startProxiedServer({ migrate: true })
  onTestFinished(() => server.remove())
  const service = await startLoadedService({
    databaseUrl: server.url,
    fleet: { hubs: HUBS, devices: HUBS * SENSORS },
    env: { INGEST_HOLD_MS: '2000', SPOOL_BYTES_MAX: String(SPOOL_BYTES_MAX), ...env },
  })
  onTestFinished(() => service.close())
  const fleet = new SteadyFleet(service.fleet, service.mqttPort)
  onTestFinished(() => fleet.end())
  await fleet.connected()
  await sleep(SETTLE_MS)
  return { server, service, fleet }
}

function say(what: string, figure: string): void {
  process.stdout.write(`  ${what.padEnd(44)} ${figure}\n`)
}

const mib = (bytes: number) => `${Math.round(bytes / MIB)} MiB`

function latency(latenciesMs: number[]): string {
  const sorted = latenciesMs.toSorted((one, other) => one - other)
  const at = (share: number) => (sorted[Math.floor(share * (sorted.length - 1))] ?? Number.NaN).toFixed(0)
  return `p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, of ${sorted.length} messages`
}

async function spoolBytes({ service }: Outage): Promise<number> {
  const folder = join(service.dataDir, 'spool')
  // A file may be gone between the list and the look.
  const sizes = (await readdir(folder)).map((name) => stat(join(folder, name)).catch(() => undefined))
  return (await Promise.all(sizes)).reduce((sum, found) => sum + (found?.size ?? 0), 0)
}

/** Watches the memory of the service from outside; `end` says how much more than `idleBytes` it had, and returns that. */
function watchMemory({ service }: Outage, idleBytes: number) {
  const usage = startUsage({}, service.pid)
  return {
    end: (what: string) => {
      // Where the system tells nothing of memory (no /proc) the comparison fails.
      const maxBytes = usage.end().residentBytesMax ?? Number.NaN
      say(`memory ${what}`, `${mib(maxBytes)}, ${mib(maxBytes - idleBytes)} more than idle`)
      return maxBytes - idleBytes
    },
  }
}

/** Resolves when the spool is empty; rejects when it has not become smaller for a minute. */
async function drained({ service }: Outage): Promise<void> {
  let least = Number.POSITIVE_INFINITY
  let leastAtMs = performance.now()
  for (;;) {
    const left = await service.metric('frostguard_readings_spooled')
    if (left === 0) return
    if (left < least) {
      least = left
      leastAtMs = performance.now()
    }
    if (performance.now() - leastAtMs > STALLED_MS)
      throw new Error(`The drain stands still at ${left} readings.`)
    await sleep(100)
  }
}

async function expectComplete({ service, fleet }: Outage): Promise<void> {
  await untilSettled(service)
  expect(await fleet.compare(service.owner)).toEqual({ missing: 0, phantom: 0, stored: fleet.readings })
  expect(await service.metric('frostguard_readings_received_total')).toBe(fleet.readings)
  expect(await service.metric('frostguard_readings_returned_total')).toBe(0)
}

const messagesAnHour = Math.round((minutes * 60_000) / MEASURED_EVERY_MS)

test(
  `${minutes} minutes without the database: all is acknowledged out of the spool, and drains`,
  async () => {
    const outage = await open({})
    const { server, service, fleet } = outage
    const idleBytes = residentBytesOf(service.pid) ?? Number.NaN
    const memory = watchMemory(outage, idleBytes)
    const beganMs = performance.now()
    say('PUBACK before', latency(await fleet.publishPaced(PACE_MS, isPast(BEFORE_MS))))
    await server.stop('immediate')
    if (realMinutes > 0) {
      const real = await fleet.publishPaced(PACE_MS / 2, isPast(realMinutes * 60_000))
      say(`PUBACK, ${realMinutes} minutes in real time`, latency(real))
    }
    const sendMs = performance.now()
    const before = fleet.readings
    await fleet.publish(messagesAnHour, IN_FLIGHT)
    const seconds = (performance.now() - sendMs) / 1_000
    const hour = fleet.readings - before
    say(
      'acknowledged meanwhile',
      `${hour} readings in ${messagesAnHour * HUBS} messages, ${seconds.toFixed(0)} s`,
    )
    const bytes = await spoolBytes(outage)
    say(
      'spool',
      `${mib(bytes)}, ${(bytes / (await service.metric('frostguard_readings_spooled'))).toFixed(0)} bytes a reading`,
    )
    expect(bytes).toBeLessThanOrEqual(SPOOL_BYTES_MAX)

    await server.start()
    const drainMs = performance.now()
    const spooled = await service.metric('frostguard_readings_spooled')
    let isDrained = false
    const draining = drained(outage).finally(() => {
      isDrained = true
    })
    const beside = await fleet.publishPaced(PACE_MS, () => isDrained)
    await draining
    say('drained', `${Math.round(spooled / ((performance.now() - drainMs) / 1_000))} readings/s`)
    say('PUBACK beside the drain', latency(beside))
    await expectComplete(outage)
    expect(memory.end('in outage and drain')).toBeLessThan(MEMORY_BYTES_MAX)
    say('all in all', `${fleet.readings} readings, ${((performance.now() - beganMs) / 1_000).toFixed(0)} s`)
  },
  TEST_MS_MAX,
)

test(
  'a spool that is full: hubs wait, memory stays bounded, and nothing is lost',
  async () => {
    const outage = await open({
      SPOOL_BYTES_MAX: String(SMALL_SPOOL_BYTES),
      INGEST_BATCH_BYTES_MAX: String(SMALL_SPOOL_BYTES / 4),
    })
    const { server, service, fleet } = outage
    const idleBytes = residentBytesOf(service.pid) ?? Number.NaN
    const memory = watchMemory(outage, idleBytes)
    await server.stop('immediate')
    // All at once: hubs that do not wait for a PUBACK before their next message.
    const sending = fleet.publish(SMALL_SPOOL_MESSAGES, SMALL_SPOOL_MESSAGES)
    await service.untilNotReady(/spool full/)
    await sleep(BEFORE_MS)
    const bytes = await spoolBytes(outage)
    say('spool', `${mib(bytes)} of ${mib(SMALL_SPOOL_BYTES)}`)
    expect(bytes).toBeLessThanOrEqual(SMALL_SPOOL_BYTES)
    expect(memory.end('while it is full')).toBeLessThan(MEMORY_BYTES_MAX)
    say(
      'acknowledged so far',
      `${await service.metric('frostguard_readings_spooled')} of ${fleet.readings} readings`,
    )
    const afterwards = watchMemory(outage, idleBytes)
    await server.start()
    await sending
    await drained(outage)
    await expectComplete(outage)
    expect(afterwards.end('in the drain, all hubs sending')).toBeLessThan(MEMORY_BYTES_MAX)
  },
  TEST_MS_MAX,
)

function isPast(durationMs: number): () => boolean {
  const endMs = performance.now() + durationMs
  return () => performance.now() >= endMs
}
