// `npm start`: broker, ingest and console in one process.
import { setTimeout as sleep } from 'node:timers/promises'
import { pino } from 'pino'
import { onEndSignal } from './end-signals.ts'
import { announcement } from './service/announce.ts'
import { CannotGoOnError, untilDatabaseOpened } from './service/return-of-database.ts'
import { readServiceSettings, type Service, startService } from './service/service.ts'
import { readEnvironment, SettingsError } from './settings.ts'

/** A start that is nearly done is finished and then stopped cleanly; another one is given up. */
const START_GRACE_MS = 2_000

async function main(): Promise<void> {
  const settings = readServiceSettings(readEnvironment())
  const log = pino({ level: settings.LOG_LEVEL }, pino.destination(2))
  const started = Promise.withResolvers<Service>()
  let isStopping = false
  const end = async (signal: string) => {
    isStopping = true
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
  onEndSignal({
    first: (signal) => void end(signal),
    again: (signal) => {
      log.warn(`${signal} again: ending at once; what is not committed stays unacknowledged`)
      process.exit(1)
    },
  })
  const service = await startService(settings, log)
  started.resolve(service)
  if (isStopping) return
  console.log(announcement(service.addresses))
  if (service.startedAway) {
    console.log(
      'FrostGuard has started without its database: messages go to the spool until it is back. Ctrl-C stops it cleanly.',
    )
    await untilDatabaseOpened(service, log)
    if (isStopping) return
  }
  console.log('FrostGuard is ready. Ctrl-C stops it cleanly.')
}

main().catch((error: unknown) => {
  console.error(error instanceof SettingsError ? error.message : describe(error))
  process.exit(1)
})

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  if (error instanceof CannotGoOnError) return error.message
  return `FrostGuard did not start: ${error.message}`
}
