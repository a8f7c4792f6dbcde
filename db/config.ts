import { z } from 'zod'
import { integerSetting } from '../settings.ts'

/** The settings of the database: which one, and how it is used. */
export const databaseSettings = {
  /** Where the application connects, perhaps through a pooler. Absent: the embedded PostgreSQL of DATA_DIR. */
  DATABASE_URL: databaseUrlSetting(),
  /** Past the pooler, for migrations and LISTEN. Absent: DATABASE_URL. */
  DATABASE_DIRECT_URL: databaseUrlSetting(),
  /** The folder that keeps what FrostGuard stores on this machine. */
  DATA_DIR: z.string().default('./.data'),
  /** Connections of the application's pool. */
  DATABASE_POOL_MAX: integerSetting({ min: 1, max: 1_000, default: 10, unit: 'connections' }),
  DATABASE_STATEMENT_TIMEOUT_MS: integerSetting({
    min: 100,
    max: 3_600_000,
    default: 30_000,
    unit: 'milliseconds',
  }),
  /** For one attempt to connect, and for the wait for a free connection of the pool. */
  DATABASE_CONNECT_TIMEOUT_MS: integerSetting({
    min: 100,
    max: 120_000,
    default: 5_000,
    unit: 'milliseconds',
  }),
  /** How long the start waits for a database that cannot be reached yet; 0 = one attempt. */
  DATABASE_START_WAIT_MS: integerSetting({ min: 0, max: 600_000, default: 10_000, unit: 'milliseconds' }),
}

export type DatabaseSettings = z.infer<z.ZodObject<typeof databaseSettings>>

function databaseUrlSetting() {
  return z
    .url({
      protocol: /^postgres(ql)?$/,
      error:
        'expected postgres://user:password@host:port/database ' +
        '(percent-encode special characters in the password, for example @ as %40)',
    })
    .optional()
}
