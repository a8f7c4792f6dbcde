import { migrateDatabase } from '../migrate.ts'
import { withDatabase } from './with-database.ts'

/** `npm run db:migrate`: brings the schema up to date, past a pooler if there is one. */
await withDatabase(
  async ({ directUrl }) => {
    await migrateDatabase(directUrl)
    console.log('The schema is up to date.')
  },
  { migrate: false },
)
