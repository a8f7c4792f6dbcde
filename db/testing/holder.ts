import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { FAST_AND_UNSAFE } from './test-server.ts'

/** Another process that uses the embedded server of a DATA_DIR. */
export interface Holder {
  url: string
  /** kill -9: it does not release. */
  kill(): Promise<void>
  /** Releases and ends. */
  release(): Promise<void>
}

/** Starts the process; returns when it has the server. */
export async function startHolder(dataDir: string): Promise<Holder> {
  const child = spawnHolder(dataDir)
  const lines = createInterface({ input: child.stdout })
  const url = await Promise.race([
    once(lines, 'line').then(([line]) => String(line)),
    once(child, 'exit').then(([code]) => {
      throw new Error(`The holder of ${dataDir} ended with code ${code}`)
    }),
  ])
  const end = async (action: () => void) => {
    const exited = once(child, 'exit')
    action()
    await exited
  }
  return {
    url,
    kill: () => end(() => child.kill('SIGKILL')),
    release: () => end(() => child.stdin.end()),
  }
}

/** Starts the process and does not wait, for tests that kill it while it is at work. */
export function spawnHolder(dataDir: string) {
  const options = JSON.stringify({ dataDir, parameters: FAST_AND_UNSAFE })
  const program = `
    import { openEmbeddedServer } from ${JSON.stringify(import.meta.resolve('../embedded/server.ts'))}
    const log = { info() {}, warn() {}, error() {} }
    const server = await openEmbeddedServer({ ...${options}, log })
    console.log(server.url)
    process.stdin.resume().on('end', () => server.release())`
  return spawn(process.execPath, ['--input-type=module', '--eval', program], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
}
