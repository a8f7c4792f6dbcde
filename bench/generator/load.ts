import { setTimeout as sleep } from 'node:timers/promises'
import { Connection } from './connection.ts'
import { MessageRing } from './message-ring.ts'
import { Meter } from './meter.ts'
import { expectedBooks, itemsSent, type Mix } from './mix.ts'
import { closedLoop, openLoop, type Pace } from './pace.ts'
import type { Topics } from './packets.ts'
import type { LoadPlan } from './plan.ts'
import type { LoadResult } from './result.ts'

export interface LoadOptions {
  host: string
  port: number
  plan: LoadPlan
  mix: Mix
  /** Of connection `index`, from 1 on. */
  username: (index: number) => string
  password: string
  topics: (index: number, username: string) => Topics
  keepaliveSeconds: number
  /** Between two connects. */
  connectIntervalMs: number
  inFlightMax: number
  /** Between two messages of a connection: open loop. Absent: closed loop. */
  messageIntervalMs: number | undefined
  messagesMax: number
  warmUpSeconds: number
  /** How long to send after the warm-up, if `messagesMax` does not end it before. */
  seconds: number
}

/** What has begun just now. */
export type LoadPhase = 'measuring' | 'draining'

/** What the generator tells the process that has started it. */
export type LoadNews = { phase: LoadPhase } | { acknowledgedMessages: number }

export interface LoadHooks {
  onPhase?: (phase: LoadPhase) => void
  /** About once a second. */
  onProgress?: (progress: { connected: number; sent: number; acknowledged: number }) => void
  /** Ends the sending; what is in flight is still waited for. */
  signal?: AbortSignal
}

const PROGRESS_MS = 1_000
/** As large as the server's answers to a full window of most loads. */
const CHUNK_BYTES = 65_536
/** Without any acknowledgement for so long, what is in flight is given up. */
const DRAIN_SILENCE_MS_MAX = 30_000
const DRAIN_POLL_MS = 2
const PINGS_PER_KEEPALIVE = 3

/** Connects all, publishes until time or messages are used up, waits for what is in flight, and counts. */
export async function runLoad(options: LoadOptions, hooks: LoadHooks = {}): Promise<LoadResult> {
  const load = new Load(options)
  const progress = setInterval(() => hooks.onProgress?.(load.progress()), PROGRESS_MS)
  const pings = keepAlive(options.keepaliveSeconds, () => load.ping())
  try {
    await load.connect(hooks.signal)
    return await load.run(hooks)
  } finally {
    clearInterval(progress)
    clearInterval(pings)
    await load.close()
  }
}

function keepAlive(seconds: number, ping: () => void): NodeJS.Timeout | undefined {
  return seconds > 0 ? setInterval(ping, (seconds * 1_000) / PINGS_PER_KEEPALIVE) : undefined
}

class Load {
  readonly #options: LoadOptions
  readonly #pace: Pace
  readonly #meter = new Meter()
  readonly #connections: Connection[]
  readonly #reasons = new Set<string>()
  readonly #allLost = Promise.withResolvers<void>()
  #connected = 0
  #lost = 0

  constructor(options: LoadOptions) {
    const { plan, messageIntervalMs: intervalMs } = options
    const pace = { ...options, connections: plan.connections }
    this.#options = options
    this.#pace = intervalMs === undefined ? closedLoop(pace) : openLoop({ ...pace, intervalMs })
    const chunk = Buffer.allocUnsafeSlow(CHUNK_BYTES)
    this.#connections = Array.from({ length: plan.connections }, (_, index) => this.#connection(index, chunk))
  }

  #connection(index: number, chunk: Uint8Array): Connection {
    const { host, port, plan, mix, password, keepaliveSeconds, inFlightMax } = this.#options
    const username = this.#options.username(index + 1)
    const topics = this.#options.topics(index + 1, username)
    return new Connection(index, {
      host,
      port,
      username,
      password,
      keepaliveSeconds,
      ring: new MessageRing({ plan, mix, connection: index, topics, inFlightMax }),
      chunk,
      dueAt: this.#pace.dueAt,
      onAcknowledged: (dueAtMs, nowMs, items) => this.#meter.count(dueAtMs, nowMs, items),
      onRoom: (connection, nowMs) => this.#send(connection, nowMs),
      onLost: (reason) => this.#onLost(reason),
    })
  }

  /** Throws when one of them does not get in. */
  async connect(signal: AbortSignal | undefined): Promise<void> {
    const opening: Promise<void>[] = []
    for (const [index, connection] of this.#connections.entries()) {
      if (index > 0) await sleep(this.#options.connectIntervalMs, undefined, signal ? { signal } : {})
      const opened = connection.open().then(() => {
        this.#connected++
      })
      // Waited for below, all together.
      opened.catch(() => {})
      opening.push(opened)
      if (this.#lost > 0) break
    }
    await Promise.all(opening)
  }

  async run({ onPhase = () => {}, signal }: LoadHooks): Promise<LoadResult> {
    const { warmUpSeconds, seconds } = this.#options
    const over = Promise.race([this.#pace.exhausted, this.#allLost.promise, aborted(signal)])
    this.#pace.start((index) => this.#sendNow(index))
    await within(warmUpSeconds, over)
    onPhase('measuring')
    this.#meter.begin()
    await within(seconds, over)
    const due = this.#pace.due
    this.#pace.stop(signal?.aborted ?? false)
    const rates = this.#meter.end()
    onPhase('draining')
    const drainSeconds = await this.#drain()
    return this.#result({ ...rates, ...this.#meter.latency() }, { drainSeconds, due })
  }

  ping(): void {
    for (const connection of this.#connections) connection.ping()
  }

  async close(): Promise<void> {
    await Promise.all(this.#connections.map((connection) => connection.close()))
  }

  progress() {
    return {
      connected: this.#connected - this.#lost,
      sent: this.#sent(),
      acknowledged: this.#meter.acknowledged,
    }
  }

  #sendNow(index: number): void {
    const connection = this.#connections[index]
    if (connection) this.#send(connection, performance.now())
  }

  #send(connection: Connection, nowMs: number): void {
    if (this.#connected < this.#connections.length || connection.lost) return
    const count = this.#pace.take(connection)
    if (count > 0) connection.send(count, nowMs)
  }

  #onLost(reason: string): void {
    this.#lost++
    this.#reasons.add(reason)
    if (this.#lost === this.#connections.length) this.#allLost.resolve()
  }

  /** Until all that is in flight is acknowledged, but for the lost connections; returns the seconds. */
  async #drain(): Promise<number> {
    const startedAt = performance.now()
    let lastAt = startedAt
    let last = this.#meter.acknowledged
    while (this.#connections.some(({ lost, inFlight }) => !lost && inFlight > 0)) {
      await sleep(DRAIN_POLL_MS)
      if (this.#meter.acknowledged !== last) lastAt = performance.now()
      last = this.#meter.acknowledged
      if (performance.now() - lastAt < DRAIN_SILENCE_MS_MAX) continue
      this.#reasons.add(
        `no acknowledgement for ${DRAIN_SILENCE_MS_MAX / 1_000} s: what was in flight is given up`,
      )
      break
    }
    return (lastAt - startedAt) / 1_000
  }

  #sent(): number {
    return this.#connections.reduce((sum, { sent }) => sum + sent, 0)
  }

  #result(
    measured: LoadResult['measured'],
    { drainSeconds, due }: { drainSeconds: number; due: number | undefined },
  ): LoadResult {
    const { plan } = this.#options
    const tallies = this.#connections.map(({ tally }) => tally)
    return {
      connections: this.#connections.length,
      connectionsLost: this.#lost,
      reasonsLost: [...this.#reasons],
      messages: this.#sent(),
      readings: itemsSent(tallies, plan),
      acknowledgedMessages: this.#meter.acknowledged,
      acknowledgedReadings: this.#meter.acknowledgedItems,
      expected: expectedBooks(tallies, plan),
      sentByConnection: this.#connections.map(({ sent }) => sent),
      acknowledgedByConnection: this.#connections.map(({ acknowledged }) => acknowledged),
      ...(due === undefined ? {} : { dueMessages: due }),
      measured,
      drainSeconds,
    }
  }
}

/** Waits for the end of `work`, but not longer than this. */
async function within(seconds: number, work: Promise<unknown>): Promise<void> {
  if (seconds === Number.POSITIVE_INFINITY) {
    await work
    return
  }
  const over = new AbortController()
  const limit = sleep(seconds * 1_000, undefined, { signal: over.signal }).catch(() => undefined)
  await Promise.race([work, limit])
  over.abort()
}

function aborted(signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) resolve()
    signal?.addEventListener('abort', () => resolve(), { once: true })
  })
}
