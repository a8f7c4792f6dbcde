import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { findDrift } from '../schema-drift.ts'

/** `npm run db:check`: exit code 0 when the migrations in drizzle/ say what the schema in db/schema says, else 1. */
const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))))
// The same places as in drizzle.config.ts.
const drift = await findDrift({ root, schema: './db/schema/*.ts', migrations: join(root, 'drizzle') })
if (drift === undefined) {
  console.log('The migrations are up to date with the schema.')
} else {
  console.error(
    `db/schema has changed, but drizzle/ has no migration for it. Run "npm run db:generate -- --name what_changed" and ` +
      `review what it writes. drizzle-kit said:\n${drift.trim()}`,
  )
  process.exitCode = 1
}
