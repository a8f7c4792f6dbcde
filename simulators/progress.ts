import type { Hub } from './hub/hub.ts'
import type { RunCounts } from './hub/run-counts.ts'
import type { World } from './world/world.ts'

/** One line about a run for people, with the rates since the line before it. */
export class Progress {
  readonly #counts: RunCounts
  readonly #hubs: readonly Hub[]
  readonly #world: Pick<World, 'summary'>
  #before = { seconds: 0, publishes: 0, readings: 0 }

  constructor(options: { counts: RunCounts; hubs: readonly Hub[]; world: Pick<World, 'summary'> }) {
    this.#counts = options.counts
    this.#hubs = options.hubs
    this.#world = options.world
  }

  line(seconds: number): string {
    const { publishes, readings, connected, acknowledged, failed } = this.#counts
    const perSecond = (now: number, before: number) =>
      ((now - before) / (seconds - this.#before.seconds)).toFixed(1)
    const parts = [
      `${seconds.toFixed(0).padStart(5)} s`,
      `hubs ${connected}/${this.#hubs.length}`,
      `${perSecond(publishes, this.#before.publishes)} messages/s`,
      `${perSecond(readings, this.#before.readings)} readings/s`,
      `acknowledged ${acknowledged}`,
      `in flight ${total(this.#hubs, (hub) => hub.inFlight)}`,
      `buffered ${total(this.#hubs, (hub) => hub.buffered)}`,
      `failed ${failed}`,
      formatLatency(this.#counts),
      this.#worldPart(),
    ]
    this.#before = { seconds, publishes, readings }
    return parts.join('  ')
  }

  #worldPart(): string {
    const { units, compressorsFailed, doorsOpen, sensorsDead, warm } = this.#world.summary()
    return (
      `${units} units: ${warm} warm, ${doorsOpen} doors open, ` +
      `${compressorsFailed} compressors failed, ${sensorsDead} sensors dead`
    )
  }
}

/** The time from publish to PUBACK. */
export function formatLatency(counts: RunCounts): string {
  const show = (percentile: number) => {
    const milliseconds = counts.latencyMs(percentile)
    return milliseconds === undefined ? '-' : `${milliseconds.toFixed(1)} ms`
  }
  return `PUBACK p50 ${show(50)} p99 ${show(99)}`
}

function total(hubs: readonly Hub[], of: (hub: Hub) => number): number {
  return hubs.reduce((sum, hub) => sum + of(hub), 0)
}
