import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import mqtt from 'mqtt'
import { freePort } from '../../../db/embedded/ports.ts'
import { until } from '../../../db/testing/poll.ts'
import { makeTestFolder, removeTestFolder } from '../../../db/testing/test-folder.ts'

const PROGRAM = ['/usr/sbin/mosquitto', '/usr/local/sbin/mosquitto', '/opt/homebrew/sbin/mosquitto'].find(
  existsSync,
)

/** Why tests against Mosquitto are skipped; undefined where it is installed. */
export const MOSQUITTO_MISSING =
  PROGRAM === undefined ? 'mosquitto is not installed (Debian: apt-get install mosquitto)' : undefined

/** What docs/lorawan.md asks of a Mosquitto that FrostGuard reads from. */
export const MOSQUITTO_SETTINGS = ['persistence true', 'max_inflight_messages 0', 'max_queued_messages 0']

/** A Mosquitto of a test's own on 127.0.0.1; its port and what it keeps stay when it is stopped and started. */
export class Mosquitto {
  readonly port: number
  readonly #folder: string
  #process: ChildProcess | undefined

  /** By `startMosquitto`. */
  constructor(port: number, folder: string) {
    this.port = port
    this.#folder = folder
  }

  get url(): string {
    return `mqtt://127.0.0.1:${this.port}`
  }

  async start(): Promise<void> {
    if (PROGRAM === undefined) throw new Error(MOSQUITTO_MISSING)
    const child = spawn(PROGRAM, ['-c', join(this.#folder, 'mosquitto.conf')], { stdio: 'ignore' })
    this.#process = child
    await until('mosquitto answers', () => {
      if (child.exitCode !== null) throw new Error(`mosquitto ended with code ${child.exitCode}`)
      return answers(this.url)
    })
  }

  /** Ends it cleanly: it writes down its sessions and what is queued for them. */
  async stop(): Promise<void> {
    const child = this.#process
    this.#process = undefined
    if (!child || child.exitCode !== null) return
    const ended = once(child, 'exit')
    child.kill('SIGTERM')
    await ended
  }

  async remove(): Promise<void> {
    await this.stop()
    await removeTestFolder(this.#folder)
  }
}

export async function startMosquitto(settings: readonly string[] = []): Promise<Mosquitto> {
  const folder = await makeTestFolder()
  const port = await freePort()
  const lines = [
    `listener ${port} 127.0.0.1`,
    'allow_anonymous true',
    `persistence_location ${folder}/`,
    ...MOSQUITTO_SETTINGS,
    // As root it would become a user who may not write into the folder.
    ...(process.getuid?.() === 0 ? ['user root'] : []),
    ...settings,
  ]
  await writeFile(join(folder, 'mosquitto.conf'), `${lines.join('\n')}\n`)
  const broker = new Mosquitto(port, folder)
  await broker.start()
  return broker
}

async function answers(url: string): Promise<boolean> {
  const client = mqtt.connect(url, { reconnectPeriod: 0, connectTimeout: 2_000 })
  const { promise, resolve } = Promise.withResolvers<boolean>()
  client.on('connect', () => resolve(true))
  client.on('error', () => resolve(false))
  client.on('close', () => resolve(false))
  const isThere = await promise
  client.end(true)
  return isThere
}
