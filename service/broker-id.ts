import { randomUUID } from 'node:crypto'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'

/** The name of the broker that runs on this DATA_DIR, for others on the same database: kept there from its first start on. */
export async function brokerId(dataDir: string): Promise<string> {
  const path = join(dataDir, 'broker-id')
  const kept = z.uuid().safeParse(await readFile(path, 'utf8').catch(() => undefined))
  if (kept.success) return kept.data
  const id = randomUUID()
  await mkdir(dataDir, { recursive: true })
  await writeFile(path, id)
  return id
}
