import { parseSettings, readEnvironment } from '../../settings.ts'
import { databaseSettings } from '../config.ts'
import { type DatabaseServer, openDatabaseServer } from '../database-server.ts'
import { migrateDatabase } from '../migrate.ts'
import type { ServerLog } from '../server-log.ts'

const SIGNALS = { SIGINT: 130, SIGTERM: 143 } as const

/** What the command does with the database. */
export type DatabaseAction = (server: Pick<DatabaseServer, 'url' | 'directUrl' | 'embedded'>) => Promise<void>

/**
 * Runs a command on the database of the environment: uses the running server of DATA_DIR or starts it for this time,
 * migrates unless told not to, and releases the server at the end, also after Ctrl-C. A failure is printed as one
 * sentence and becomes exit code 1.
 */
export async function withDatabase(
  action: DatabaseAction,
  options: { migrate?: boolean } = {},
): Promise<void> {
  try {
    const settings = parseSettings(databaseSettings, readEnvironment())
    const opening = openDatabaseServer(settings, stderrLog)
    const forgetSignals = releaseOnSignal(opening)
    const server = await opening
    try {
      if (options.migrate !== false) await migrateDatabase(server.directUrl)
      await action(server)
    } finally {
      await server.release()
      forgetSignals()
    }
  } catch (error) {
    console.error(error instanceof Error ? error.message : String(error))
    process.exitCode = 1
  }
}

/** Standard output belongs to the command's result. */
const stderrLog: ServerLog = {
  info: () => {},
  warn: (message) => console.error(message),
  error: (message) => console.error(message),
}

/**
 * Ends the process after a release when it is interrupted. Ctrl-C comes twice, from the terminal and from npm: the
 * handlers stay until the server is released. Returns what takes them away.
 */
function releaseOnSignal(opening: Promise<DatabaseServer>): () => void {
  const interrupted = (signal: keyof typeof SIGNALS) => {
    opening
      .then((server) => server.release())
      .catch((error: unknown) => console.error(String(error)))
      .finally(() => process.exit(SIGNALS[signal]))
  }
  process.on('SIGINT', interrupted).on('SIGTERM', interrupted)
  return () => {
    process.off('SIGINT', interrupted).off('SIGTERM', interrupted)
  }
}
