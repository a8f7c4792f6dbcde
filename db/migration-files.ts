import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'

export interface Migration {
  /** File name without `.sql`. */
  tag: string
  /** Epoch milliseconds; identifies the migration in the database, as drizzle-kit does it. */
  when: number
  /** SHA-256 of the file, hexadecimal. */
  hash: string
  statements: string[]
  /** False for statements that PostgreSQL refuses in a transaction, such as CREATE INDEX CONCURRENTLY. */
  inTransaction: boolean
}

/** A file that begins with this line is run outside a transaction, statement by statement. */
const NO_TRANSACTION = '-- frostguard: no transaction'

const journalSchema = z.object({ entries: z.array(z.object({ tag: z.string(), when: z.number() })) })

/** The migrations that this version of the program has, in order, from drizzle-kit's folder. */
export async function readMigrations(
  folder = fileURLToPath(new URL('../drizzle', import.meta.url)),
): Promise<Migration[]> {
  const journal = journalSchema.parse(JSON.parse(await readFile(join(folder, 'meta/_journal.json'), 'utf8')))
  return Promise.all(
    journal.entries.map(async ({ tag, when }) => {
      const text = await readFile(join(folder, `${tag}.sql`), 'utf8')
      return {
        tag,
        when,
        hash: createHash('sha256').update(text).digest('hex'),
        statements: text.split('--> statement-breakpoint'),
        inTransaction: !text.startsWith(NO_TRANSACTION),
      }
    }),
  )
}
