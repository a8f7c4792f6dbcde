import type { Pool } from 'pg'
import { onConnection } from '../db/batches/transaction.ts'
import { databaseError } from '../db/errors.ts'
import type { EpisodeRange } from '../db/evaluation/episodes.ts'
import type { EvaluatorMetrics } from './metrics.ts'
import { refoldDevice } from './refold-device.ts'
import { isOfData } from './refusals.ts'
import type { SetAside } from './set-aside.ts'
import type { DeviceContext, UnitContext } from './unit-context.ts'
import type { Arrival } from './work.ts'

const RETRY_MS = 60_000
/** The server has given up a statement. Where it is away or hangs, there is no such answer. */
const STATEMENT_TIMEOUT = '57014'

interface LateRefoldsOptions {
  pool: Pool
  metrics: Pick<EvaluatorMetrics, 'refolds' | 'refoldsFailed'>
  aside: Pick<SetAside, 'setDeviceAside' | 'deviceBack'>
}

/**
 * Folds the devices again at which something came late. One whose rows cannot be read, or are too many for the time that a
 * statement has, is tried again every minute and stays late until then, also across a restart: it holds up no other one.
 */
export class LateRefolds {
  readonly #options: LateRefoldsOptions
  /** By `performance.now()`. */
  readonly #notBeforeMs = new WeakMap<DeviceContext, number>()

  constructor(options: LateRefoldsOptions) {
    this.#options = options
  }

  /** Those of a unit that are due. `held`: its messages whose turn is still to come. Returns what is to be forgotten of their episodes. */
  async run(unit: UnitContext, held: readonly Arrival[]): Promise<EpisodeRange[]> {
    const { pool, metrics } = this.#options
    const ranges: EpisodeRange[] = []
    for (const device of unit.devices.values()) {
      const { late } = device
      if (!late || performance.now() < (this.#notBeforeMs.get(device) ?? -Infinity)) continue
      metrics.refolds.inc()
      try {
        ranges.push(await onConnection(pool, (client) => refoldDevice(client, unit, device, { late, held })))
        if (this.#notBeforeMs.delete(device)) this.#options.aside.deviceBack(device.config.deviceId)
      } catch (error) {
        if (!isOfDevice(error)) throw error
        this.#putOff(device, error)
      }
    }
    return ranges
  }

  #putOff(device: DeviceContext, error: unknown): void {
    const { metrics, aside } = this.#options
    this.#notBeforeMs.set(device, performance.now() + RETRY_MS)
    device.isUnsaved = true
    metrics.refoldsFailed.inc()
    aside.setDeviceAside(device.config.deviceId, error)
  }
}

export function hasLate({ devices }: UnitContext): boolean {
  for (const { late } of devices.values()) if (late) return true
  return false
}

/** Whether it would fail again at once, while other devices would not. */
function isOfDevice(error: unknown): boolean {
  return databaseError(error)?.code === STATEMENT_TIMEOUT || isOfData(error)
}
