// `npm start`: broker, ingest and console in one process.
import { setTimeout as sleep } from 'node:timers/promises'
import { pino } from 'pino'
import { readServiceSettings, type Service, startService } from './service.ts'
import { readEnvironment, SettingsError } from './settings.ts'

const STARTED_NAMES: Record<string, string> = {
  database: 'Database (psql)',
  mqtt: 'MQTT',
  tls: 'MQTT over TLS',
  webSocket: 'MQTT over WebSocket',
  console: 'Status page',
}

const REPEATED_SIGNAL_MS = 1_000
/** A start that is nearly done is finished and then stopped cleanly; another one is given up. */
const START_GRACE_MS = 2_000

async function main(): Promise<void> {
  const settings = readServiceSettings(readEnvironment())
  const log = pino({ level: settings.LOG_LEVEL }, pino.destination(2))
  const started = Promise.withResolvers<Service>()
  let stoppingSinceMs: number | undefined
  const end = async (signal: string) => {
    if (stoppingSinceMs !== undefined) {
      // Ctrl-C reaches us twice: from the terminal and, forwarded, from npm.
      if (performance.now() - stoppingSinceMs < REPEATED_SIGNAL_MS) return
      log.warn(`${signal} again: ending at once; what is not committed stays unacknowledged`)
      process.exit(1)
    }
    stoppingSinceMs = performance.now()
    try {
      const service = await Promise.race([started.promise, sleep(START_GRACE_MS, undefined)])
      if (!service) {
        log.info(`${signal}: the start is given up`)
        process.exit(0)
      }
      log.info(`${signal}: no more intake, committing what is held`)
      await service.stop()
    } catch (error) {
      log.error({ err: error }, 'not stopped cleanly')
      process.exitCode = 1
    }
    log.info('stopped')
    // A query that hangs must not keep the process.
    process.exit()
  }
  process.on('SIGINT', (signal) => void end(signal))
  process.on('SIGTERM', (signal) => void end(signal))
  const service = await startService(settings, log)
  started.resolve(service)
  if (stoppingSinceMs !== undefined) return
  for (const [name, address] of Object.entries(service.addresses)) {
    console.log(`${`${STARTED_NAMES[name] ?? name}:`.padEnd(22)} ${address}`)
  }
  console.log('FrostGuard is ready. Ctrl-C stops it cleanly.')
}

main().catch((error: unknown) => {
  console.error(error instanceof SettingsError ? error.message : describe(error))
  process.exit(1)
})

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return `FrostGuard did not start: ${error.message}`
}
