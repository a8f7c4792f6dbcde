import { access, constants, mkdir, realpath } from 'node:fs/promises'
import { join } from 'node:path'

/** The names within DATA_DIR that belong to the embedded server. */
export interface DataFolder {
  /** Real path of DATA_DIR. */
  root: string
  /** The cluster, or a symbolic link to it. */
  cluster: string
  log: string
  /** How to connect: port, user, password; mode 0600. */
  connection: string
  /** Who uses the server, and the lock round starting and stopping it. */
  users: string
}

/** Creates the folder on first use. Throws when it cannot be written. */
export async function openDataFolder(path: string): Promise<DataFolder> {
  try {
    await mkdir(path, { recursive: true })
    await access(path, constants.W_OK | constants.X_OK)
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new Error(
      `Cannot write in the data folder ${path} (${reason}). Expected a folder that the user running FrostGuard may write: ` +
        'change its owner, or set DATA_DIR to another one.',
      { cause: error },
    )
  }
  const root = await realpath(path)
  return {
    root,
    cluster: join(root, 'postgres'),
    log: join(root, 'postgres.log'),
    connection: join(root, 'postgres.json'),
    users: join(root, 'postgres-users.sqlite'),
  }
}
