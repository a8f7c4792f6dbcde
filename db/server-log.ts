/** What the database server reports while it is started, watched and stopped. A pino logger fits. */
export interface ServerLog {
  info(message: string): void
  warn(message: string): void
  error(message: string): void
}
