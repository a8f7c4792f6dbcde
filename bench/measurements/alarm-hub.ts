import { connectAsync, type MqttClient } from 'mqtt'
import { TEST_SECRET } from '../../db/testing/fleet.ts'
import { euiOf } from '../generator/plan.ts'
import { DEVICES_PER_UNIT } from '../layout/arrivals.ts'

/** Units that take turns: each has one device that reports. */
const UNITS = 100
export const ALARM_FLEET = { slug: 'alarms', euiPrefix: 'aa', hubs: 1, devices: UNITS * DEVICES_PER_UNIT }
const HUB = `${ALARM_FLEET.slug}-hub-1`

/** Twenty messages a second. */
const TICK_MS = 50
const TIMER_MS = 5
/** Ticks after which a device that was too warm says that it is not, twice. Before its unit has its turn again. */
const GOOD_AFTER_TICKS = [20, 40]
const LAST_GOOD_AFTER_TICKS = Math.max(...GOOD_AFTER_TICKS)
export const WARM_CELSIUS = 12
const GOOD_CELSIUS = 4

interface AlarmReading {
  device: string
  at: number
  temperature: number
}

/** What the hub publishes at a tick: one reading that raises an alert, up to `lastTick`, and those that end earlier ones. */
export function alarmReadings(tick: number, atMs: number, lastTick: number): AlarmReading[] {
  const reading = (ofTick: number, temperature: number) => ({
    device: euiOf(ALARM_FLEET, 1 + (ofTick % UNITS) * DEVICES_PER_UNIT),
    at: atMs,
    temperature,
  })
  const warm = tick <= lastTick ? [reading(tick, WARM_CELSIUS)] : []
  const ended = GOOD_AFTER_TICKS.map((after) => tick - after).filter((of) => of >= 0 && of <= lastTick)
  return [...warm, ...ended.map((ofTick) => reading(ofTick, GOOD_CELSIUS))]
}

/**
 * A hub beside a load, each of whose messages raises an alert. The time of a reading is the moment at which it was to be sent:
 * a sender that comes late cannot hide it.
 */
export class AlarmHub {
  /** When the readings that raise alerts were to be sent, epoch milliseconds. */
  readonly raisedAtMs: number[] = []
  /** Readings published. */
  readings = 0
  #client: MqttClient | undefined
  #timer: NodeJS.Timeout | undefined
  #beginMs = 0
  #tick = 0
  #lastTick = Number.POSITIVE_INFINITY
  readonly #answers: Promise<unknown>[] = []
  readonly #done = Promise.withResolvers<void>()

  async connect(port: number): Promise<void> {
    const logIn = { clientId: HUB, username: HUB, password: TEST_SECRET, reconnectPeriod: 0 }
    this.#client = await connectAsync(`mqtt://127.0.0.1:${port}`, { ...logIn, protocolVersion: 4 })
    this.#client.on('error', (error) => this.#done.reject(error))
    this.#client.on('close', () => this.#done.reject(new Error('The hub of the alarms lost its connection.')))
    // Heard of in `end`.
    this.#done.promise.catch(() => {})
  }

  begin(): void {
    this.#beginMs = Date.now()
    this.#timer = setInterval(() => this.#publishDue(), TIMER_MS)
  }

  /** Raises no more, ends what it has raised, and waits for the PUBACKs. */
  async end(): Promise<void> {
    this.#lastTick = this.#tick - 1
    try {
      await this.#done.promise
      await Promise.all(this.#answers)
    } finally {
      clearInterval(this.#timer)
      this.#client?.removeAllListeners('close')
      await this.#client?.endAsync()
    }
  }

  #publishDue(): void {
    for (;;) {
      const atMs = this.#beginMs + this.#tick * TICK_MS
      if (atMs > Date.now()) return
      this.#publish(atMs)
      if (this.#tick > this.#lastTick + LAST_GOOD_AFTER_TICKS) {
        this.#done.resolve()
        return
      }
    }
  }

  #publish(atMs: number): void {
    const readings = alarmReadings(this.#tick, atMs, this.#lastTick)
    if (this.#tick <= this.#lastTick) this.raisedAtMs.push(atMs)
    this.#tick += 1
    if (readings.length === 0) return
    this.readings += readings.length
    const published = this.#client?.publishAsync(`v1/hubs/${HUB}/readings`, JSON.stringify({ readings }), {
      qos: 1,
    })
    published?.catch((error) => this.#done.reject(error))
    if (published) this.#answers.push(published)
  }
}
