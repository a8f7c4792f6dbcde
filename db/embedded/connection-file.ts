import { randomBytes } from 'node:crypto'
import { readFile, rename, writeFile } from 'node:fs/promises'
import { z } from 'zod'

const connectionSchema = z.object({
  user: z.string(),
  password: z.string().min(1),
  database: z.string(),
  port: z.number().int().min(1).max(65_535),
})

/** How the owner of the embedded cluster connects. */
export type Connection = z.infer<typeof connectionSchema>

export const OWNER = 'frostguard'
export const DATABASE = 'frostguard'

export function newConnection(port: number): Connection {
  return { user: OWNER, password: randomBytes(24).toString('hex'), database: DATABASE, port }
}

export function connectionUrl({ user, password, port, database }: Connection): string {
  return `postgres://${user}:${password}@127.0.0.1:${port}/${database}`
}

/** Undefined when the file is missing or unusable: the password is then set anew. */
export async function readConnection(path: string): Promise<Connection | undefined> {
  try {
    return connectionSchema.parse(JSON.parse(await readFile(path, 'utf8')))
  } catch {
    return undefined
  }
}

/** Replaces the file in one step: a crash leaves the old or the new one. */
export async function writeConnection(path: string, connection: Connection): Promise<void> {
  const next = `${path}.next`
  await writeFile(next, `${JSON.stringify(connection, null, 2)}\n`, { mode: 0o600, flush: true })
  await rename(next, path)
}
