import { open, readFile, rename, unlink } from 'node:fs/promises'
import { z } from 'zod'
import { FleetError } from './fleet-error.ts'
import type { LogIn } from './log-ins.ts'
import type { NewSecret } from './secrets.ts'

/** Only its owner may read it. */
const MODE = 0o600

const credentialsSchema = z.looseObject({
  hubs: z.record(z.string(), z.string()).default({}),
  devices: z.record(z.string(), z.string()).default({}),
  network_servers: z.record(z.string(), z.string()).default({}),
  operator: z.string().optional(),
})

/** Secrets in clear, by hub key, DevEUI and network server key. */
export type Credentials = z.output<typeof credentialsSchema>

const SECTIONS = { hub: 'hubs', device: 'devices', network_server: 'network_servers' } as const

/** The credentials file as it is; empty when there is none. Throws a `FleetError` when it is something else. */
export async function readCredentials(path: string): Promise<Credentials> {
  try {
    return credentialsSchema.parse(JSON.parse(await readFile(path, 'utf8')))
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return credentialsSchema.parse({})
    // What a parser says repeats what it read, and that may be a secret.
    const reason = errorCode(error) ?? 'it is not a credentials file'
    throw new FleetError(
      `The credentials file ${path} cannot be merged with: ${reason}. Nothing was changed. Correct it, or name another with --credentials.`,
    )
  }
}

/** What was there, with the new secrets and without the revoked ones. */
export function mergeCredentials(
  current: Credentials,
  made: readonly NewSecret[],
  revoked: readonly LogIn[],
): Credentials {
  const merged = structuredClone(current)
  for (const { kind, name } of revoked) if (kind !== 'operator') delete merged[SECTIONS[kind]][name]
  for (const { logIn, secret } of made) {
    if (logIn.kind === 'operator') merged.operator = secret
    else merged[SECTIONS[logIn.kind]][logIn.name] = secret
  }
  return merged
}

/** A file that is complete on the disk and waits to take the place of the real one. */
export interface StagedFile {
  temporaryPath: string
  /** Takes the place of the old file, if there is one, in one step. */
  publish(): Promise<void>
  discard(): Promise<void>
}

/** Writes the file beside its final place, readable by its owner only, and waits until it is on the disk. */
export async function stageCredentials(path: string, credentials: Credentials): Promise<StagedFile> {
  const temporaryPath = `${path}.${process.pid}.tmp`
  try {
    // A file of this name is what a killed process with the same id left.
    await unlink(temporaryPath).catch(() => undefined)
    const file = await open(temporaryPath, 'wx', MODE)
    try {
      await file.writeFile(`${JSON.stringify(credentials, null, 2)}\n`)
      await file.sync()
    } finally {
      await file.close()
    }
  } catch (error) {
    await unlink(temporaryPath).catch(() => undefined)
    throw new FleetError(
      `The credentials file ${path} cannot be written: ${errorCode(error)}. Nothing was changed. Name another place with --credentials.`,
      { cause: error },
    )
  }
  return {
    temporaryPath,
    publish: () => publish(temporaryPath, path),
    discard: () => unlink(temporaryPath).catch(() => undefined),
  }
}

async function publish(temporaryPath: string, path: string): Promise<void> {
  try {
    await rename(temporaryPath, path)
  } catch (error) {
    throw new FleetError(
      `The fleet was applied, but ${path} could not be replaced: ${errorCode(error)}. ` +
        `The new secrets, merged with the old ones, are in ${temporaryPath}: move it to where you need it.`,
      { cause: error },
    )
  }
}

function errorCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error ? String(error.code) : undefined
}
