import { pgSchema } from 'drizzle-orm/pg-core'

/** The PostgreSQL schema for what only the pipeline needs, so that `public` stays the domain. */
export const pipeline = pgSchema('pipeline')
