import type { Logger } from 'pino'
import { messageOf } from '../db/errors.ts'
import type { Service } from './service.ts'

/** A sentence for the operator: the service had started, and ends. */
export class CannotGoOnError extends Error {
  override name = 'CannotGoOnError'
}

/**
 * Waits until a service that has started without its database has it. When it cannot go on with the one that came back,
 * it is stopped, and the sentence that says why is thrown, also when the stop fails.
 */
export async function untilDatabaseOpened(
  service: Pick<Service, 'databaseOpened' | 'stop'>,
  log: Pick<Logger, 'error'>,
): Promise<void> {
  try {
    await service.databaseOpened
  } catch (error) {
    await service.stop().catch((stopError: unknown) => log.error({ err: stopError }, 'not stopped cleanly'))
    throw new CannotGoOnError(`FrostGuard cannot go on with its database: ${messageOf(error)}`, {
      cause: error,
    })
  }
}
