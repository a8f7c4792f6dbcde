/** Whose data a ledger is about. */
export interface LedgerSubject {
  /** Slug of the organization. */
  organization: string
  /** DevEUIs of the whole fleet. */
  devices: readonly string[]
  /** Usernames of all that publish. */
  clients: readonly string[]
  /** When the run began, epoch milliseconds: by the database's clock where that was asked, else by ours. */
  startedAtMs: number
}
