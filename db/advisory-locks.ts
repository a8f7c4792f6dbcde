/** Told from the locks of other programs in the same database. */
const SPACE = 7_263

const lock = (key: number) => ({ space: SPACE, key })

/** All that is locked by two numbers, so that no two mean the same. */
export const LOCKS = {
  migration: lock(1),
  fleet: lock(2),
  /** Held by the session that closes partitions; another process then leaves it to that one. */
  closing: lock(3),
  /** Two processes that start at once take turns at making partitions. */
  partitions: lock(4),
  outgoingMessages: lock(5),
  /**
   * Held while one partition is closed, and while they are narrowed. Closing holds its partition and waits for the
   * transactions of others; narrowing holds the table and takes every partition: they would wait for each other, and all
   * writers with them, until PostgreSQL ends one after a second.
   */
  reshaping: lock(6),
} as const
