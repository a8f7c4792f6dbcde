import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'

export interface ServiceProcess {
  child: ChildProcess
  databaseUrl: string
  mqttPort: number
  consoleUrl: string
  /** Resolves to the exit code, or the name of the signal that ended it. */
  exited: Promise<number | string>
}

/** Starts `main.ts` in a process of its own, on free ports, and waits until it is ready. */
export async function startServiceProcess(env: Record<string, string>): Promise<ServiceProcess> {
  const child = spawn(process.execPath, ['main.ts'], {
    env: { ...process.env, MQTT_PORT: '0', HTTP_PORT: '0', LOG_LEVEL: 'warn', ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const exited = once(child, 'exit').then(([code, signal]) => (signal ?? code) as number | string)
  const lines: string[] = []
  const ready = Promise.withResolvers<void>()
  createInterface({ input: child.stdout }).on('line', (line) => {
    lines.push(line)
    if (line.includes('is ready')) ready.resolve()
  })
  void exited.then((end) => ready.reject(new Error(`the service ended (${end}) before it was ready`)))
  await ready.promise
  const find = (pattern: RegExp) => lines.map((line) => pattern.exec(line)?.[0]).find(Boolean) ?? ''
  return {
    child,
    databaseUrl: find(/postgres:\S+/),
    mqttPort: Number(new URL(find(/mqtt:\S+/)).port),
    consoleUrl: find(/http:\S+/),
    exited,
  }
}
