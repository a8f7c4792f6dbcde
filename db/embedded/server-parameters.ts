const MB = 1_048_576

export interface Machine {
  memoryBytes: number
  /** Free space on the file system that holds the cluster. */
  freeDiskBytes: number
}

/** Parameters of the server by the machine it runs on; the rest keeps PostgreSQL's defaults. */
export function parametersFor({ memoryBytes, freeDiskBytes }: Machine): Record<string, string> {
  const memory = memoryBytes / MB
  // WAL may take twice its soft limit under load, and a full pg_wal stops the server: keep well below the free space.
  const wal = Math.min(clamp(memory / 4, 1_024, 4_096), freeDiskBytes / MB / 8)
  return {
    // The service shares the machine with its database, so less than the quarter that a database server gets.
    shared_buffers: megabytes(clamp(memory / 8, 64, 2_048)),
    effective_cache_size: megabytes(clamp(memory / 2, 256, 65_536)),
    maintenance_work_mem: megabytes(clamp(memory / 32, 64, 512)),
    max_wal_size: megabytes(Math.max(wal, 128)),
    checkpoint_timeout: '15min',
    // A statement that nobody waits for any longer ends also while it waits for a lock. PostgreSQL 18 can on Linux and
    // macOS; elsewhere it would refuse to start with this.
    client_connection_check_interval: '2s',
    timezone: 'UTC',
    log_timezone: 'UTC',
  }
}

/** Text of a PostgreSQL configuration file. */
export function configurationFile(parameters: Record<string, string>): string {
  const lines = Object.entries(parameters).map(
    ([name, value]) => `${name} = '${value.replaceAll("'", "''")}'`,
  )
  return `# Written by FrostGuard at every start. Changes of your own: ALTER SYSTEM.\n${lines.join('\n')}\n`
}

function clamp(value: number, min: number, max: number): number {
  return Math.min(Math.max(value, min), max)
}

function megabytes(value: number): string {
  return `${Math.floor(value)}MB`
}
