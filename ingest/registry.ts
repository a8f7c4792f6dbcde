import { setTimeout as sleep } from 'node:timers/promises'
import type { Pool } from 'pg'
import type { Logger } from 'pino'
import type { Principal } from '../broker/types.ts'
import {
  type Assignment,
  type DeviceRecord,
  findDevices,
  findLogIns,
  type LogInRecord,
  loadDevices,
  loadLogIns,
  registryVersion,
} from '../db/registry.ts'
import { coalesce } from './coalesce.ts'
import type { RegistryContents } from './registry-snapshot.ts'

export interface RegistryOptions {
  pool: Pool
  log: Logger
  /** How often a change in the database is looked for. */
  refreshMs: number
  /** Told after each reload, so that log-ins no longer valid can be ended. */
  onReloaded: () => void
  /** Told when what `contents` returns may be another than before. */
  onChanged: () => void
}

/** Usernames as protocol.md gives them: a hub's is its key, the others carry a prefix. */
const PREFIX: Record<LogInRecord['kind'], string> = {
  hub: '',
  device: 'device:',
  network_server: 'ns:',
  operator: 'operator:',
}
const LOOK_UP_KEYS_MAX = 5_000
/** While a large fleet is being applied, something changes all the time. */
const RELOADS_MAX = 3

/**
 * Devices and log-ins in memory, so that a reading costs no query. Modes:
 * - `remembered`: it has what `restore` was given, perhaps nothing. The database is not asked: it may not be what it should
 *   be. Left for `loaded` when `start` has loaded all.
 * - `loaded`: reloaded when the database says that something has changed, and asked again for each device or username it
 *   does not know.
 */
export class Registry {
  readonly #options: RegistryOptions
  readonly #stop = new AbortController()
  #devices = new Map<string, DeviceRecord>()
  #logIns = new Map<string, LogInRecord>()
  #hubKeys = new Map<number, string>()
  #mode: 'remembered' | 'loaded' = 'remembered'
  #version = ''
  #away = false
  #refreshedAtMs = Number.NEGATIVE_INFINITY
  #polling: Promise<void> | undefined

  /** Resolves to the device, asked of the database; undefined when it has none such. Rejects while that is away. */
  readonly lookUpDevice: (devEui: string) => Promise<DeviceRecord | undefined>
  /** Resolves to who may log in with this username, asked of the database. Rejects while it is away. */
  readonly lookUpLogIn: (username: string) => Promise<LogInRecord | undefined>

  constructor(options: RegistryOptions) {
    this.#options = options
    this.lookUpDevice = coalesce((devEuis) => this.#findDevices(devEuis), { keysMax: LOOK_UP_KEYS_MAX })
    this.lookUpLogIn = coalesce((usernames) => this.#findLogIns(usernames), { keysMax: LOOK_UP_KEYS_MAX })
  }

  /** What was known when the database was last there, until `start` can ask it. */
  restore({ devices, logIns }: RegistryContents): void {
    for (const device of devices) this.#devices.set(device.devEui, device)
    for (const record of logIns) this.#keep(record)
  }

  contents(): RegistryContents {
    return { devices: this.#devices.values(), logIns: this.#logIns.values() }
  }

  /** Loads all from the database. May be called again when it has failed. */
  async start(): Promise<void> {
    await this.#reload(await registryVersion(this.#options.pool))
    this.#polling ??= this.#poll()
  }

  async stop(): Promise<void> {
    this.#stop.abort()
    await this.#polling
  }

  device(devEui: string): DeviceRecord | undefined {
    return this.#devices.get(devEui)
  }

  /** Who may log in with this username, as last loaded. */
  logIn(username: string): LogInRecord | undefined {
    return this.#logIns.get(username)
  }

  get deviceCount(): number {
    return this.#devices.size
  }

  /** The key of a hub that may log in. */
  hubKey(hubId: number): string | undefined {
    return this.#hubKeys.get(hubId)
  }

  /** Milliseconds since the database last answered. */
  ageMs(): number {
    return performance.now() - this.#refreshedAtMs
  }

  /** Whether a log-in of the past would still succeed: neither removed nor its secret changed. */
  stillValid(principal: Principal): boolean {
    return this.#logIns.get(principal.username)?.credentialHash === principal.credentialHash
  }

  async #poll(): Promise<void> {
    const { signal } = this.#stop
    while (!signal.aborted) {
      await sleep(this.#options.refreshMs, undefined, { signal }).catch(() => undefined)
      if (signal.aborted) return
      try {
        const version = await registryVersion(this.#options.pool)
        if (version !== this.#version) await this.#reload(version)
        this.#refreshedAtMs = performance.now()
        this.#noteAnswer()
      } catch (error) {
        this.#noteAnswer(error)
      }
    }
  }

  /** One line when the database goes away, one when it is back. */
  #noteAnswer(error?: unknown): void {
    const { log } = this.#options
    const away = error !== undefined
    if (away === this.#away) return
    this.#away = away
    if (away) log.warn({ err: error }, 'registry not refreshed: devices and log-ins stay as last known')
    else log.info('the registry is refreshed again')
  }

  /** Loads everything, again when something has changed meanwhile: who has just logged in must not be missing. */
  async #reload(known: string): Promise<void> {
    const { pool } = this.#options
    let version = known
    for (let attempt = 1; ; attempt++) {
      const devices = await allDevices(pool)
      const logIns = await loadLogIns(pool)
      const current = await registryVersion(pool)
      if (current === version) {
        this.#replace(devices, logIns, version)
        return
      }
      version = current
      if (attempt === RELOADS_MAX) {
        // What is only remembered gives way to anything that was loaded; the next poll loads again.
        if (this.#mode === 'remembered') this.#replace(devices, logIns, '')
        else this.#merge(devices, logIns)
        return
      }
    }
  }

  #replace(devices: Map<string, DeviceRecord>, logIns: readonly LogInRecord[], version: string): void {
    this.#devices = devices
    this.#logIns = new Map()
    this.#hubKeys = new Map()
    for (const record of logIns) this.#keep(record)
    this.#version = version
    this.#mode = 'loaded'
    this.#refreshedAtMs = performance.now()
    this.#options.onReloaded()
    this.#options.onChanged()
  }

  /** What was loaded is known to be older than the newest change: it adds, but removes nothing. The next poll loads again. */
  #merge(devices: ReadonlyMap<string, DeviceRecord>, logIns: readonly LogInRecord[]): void {
    for (const [devEui, device] of devices) this.#devices.set(devEui, device)
    for (const record of logIns) this.#keep(record)
    this.#refreshedAtMs = performance.now()
    this.#options.onChanged()
  }

  #requireLoaded(): void {
    if (this.#mode === 'remembered') throw new Error('the database has been away since the start')
  }

  async #findDevices(devEuis: string[]): Promise<Map<string, DeviceRecord>> {
    this.#requireLoaded()
    const version = this.#version
    const found = await findDevices(this.#options.pool, devEuis)
    // An answer that a reload has overtaken may be older than it: good for who asked, not for keeping.
    if (version === this.#version) for (const device of found) this.#devices.set(device.devEui, device)
    return new Map(found.map((device) => [device.devEui, device]))
  }

  async #findLogIns(usernames: string[]): Promise<Map<string, LogInRecord>> {
    this.#requireLoaded()
    const version = this.#version
    const names = usernames.map((username) => username.slice(username.indexOf(':') + 1))
    const found = await findLogIns(this.#options.pool, names)
    const byUsername = new Map(found.map((record) => [usernameOf(record), record]))
    // As for devices: what a reload has removed since must not come back.
    if (version === this.#version) this.#keepAnswers(usernames, byUsername)
    return byUsername
  }

  #keepAnswers(usernames: readonly string[], found: ReadonlyMap<string, LogInRecord>): void {
    for (const username of usernames) {
      const record = found.get(username)
      if (record) this.#keep(record)
      else this.#logIns.delete(username)
    }
  }

  #keep(record: LogInRecord): void {
    this.#logIns.set(usernameOf(record), record)
    if (record.kind === 'hub') this.#hubKeys.set(record.id, record.name)
  }
}

async function allDevices(pool: Pool): Promise<Map<string, DeviceRecord>> {
  const devices = new Map<string, DeviceRecord>()
  for await (const page of loadDevices(pool)) {
    for (const device of page) devices.set(device.devEui, device)
  }
  return devices
}

export function usernameOf(record: LogInRecord): string {
  return PREFIX[record.kind] + record.name
}

/** Who a log-in is, as it travels with arrivals. */
export function principalOf(record: LogInRecord): Principal {
  const { kind, name, id, organizationId, credentialHash } = record
  return { kind, name, id, organizationId, credentialHash, username: usernameOf(record) }
}

/** Where the device belonged at a time; before its first and after its last assignment, where it is now. */
export function assignmentAt(device: DeviceRecord, atMs: number): Assignment | undefined {
  const { assignments } = device
  for (const assignment of assignments) {
    if (assignment.fromMs <= atMs && atMs < assignment.toMs) return assignment
  }
  return assignments.at(-1)
}
