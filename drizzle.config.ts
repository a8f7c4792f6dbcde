import { defineConfig } from 'drizzle-kit'

export default defineConfig({
  dialect: 'postgresql',
  schema: './db/schema/*.ts',
  out: './drizzle',
  schemaFilter: ['public', 'pipeline'],
  migrations: { schema: 'drizzle', table: 'migrations' },
  strict: true,
  verbose: true,
  ...(process.env['DATABASE_URL'] ? { dbCredentials: { url: process.env['DATABASE_URL'] } } : {}),
})
