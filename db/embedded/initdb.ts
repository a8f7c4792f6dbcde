import { appendFile, chown, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Binaries } from './binaries.ts'
import { DATABASE, OWNER } from './connection-file.ts'
import { type Account, run } from './run.ts'

/** A file in the cluster that FrostGuard writes at every start. */
export const PARAMETERS_FILE = 'frostguard.conf'

const INITDB_TIMEOUT_MS = 120_000
const SINGLE_USER_TIMEOUT_MS = 60_000

/**
 * Makes a complete cluster in `parent` (a folder of the account's own) and returns its path: owner and database
 * "frostguard", passwords checked everywhere. The password is never a process argument, where any user could read it.
 */
export async function createCluster(options: {
  binaries: Binaries
  account: Account | undefined
  parent: string
  password: string
}): Promise<string> {
  const { binaries, account, parent, password } = options
  const folder = join(parent, 'cluster')
  const passwordFile = join(parent, 'password')
  await writeFile(passwordFile, password, { mode: 0o600, flag: 'wx' })
  if (account) await chown(passwordFile, account.uid, account.gid)
  const result = await run(join(binaries.bin, 'initdb'), initdbArguments(folder, passwordFile), {
    account,
    timeoutMs: INITDB_TIMEOUT_MS,
  })
  await rm(passwordFile)
  if (result.code !== 0) {
    throw new Error(
      `PostgreSQL's initdb failed in ${parent}${result.timedOut ? ` (not done after ${INITDB_TIMEOUT_MS / 1000} s)` : ''}:\n` +
        `${result.output}\nCorrect what it names (often a full disk), and start again.`,
    )
  }
  await appendFile(join(folder, 'postgresql.conf'), `\ninclude_if_exists = '${PARAMETERS_FILE}'\n`)
  await runSingleUser({ binaries, account, folder, sql: `CREATE DATABASE ${DATABASE}` })
  return folder
}

/** Sets the owner's password in a cluster that does not run, where the file with the old one was lost. */
export async function resetPassword(options: {
  binaries: Binaries
  account: Account | undefined
  folder: string
  password: string
}): Promise<void> {
  // The password is hexadecimal, made by us: nothing to quote.
  await runSingleUser({ ...options, sql: `ALTER ROLE ${OWNER} PASSWORD '${options.password}'` })
}

function initdbArguments(folder: string, passwordFile: string): string[] {
  return [
    `--pgdata=${folder}`,
    `--username=${OWNER}`,
    `--pwfile=${passwordFile}`,
    '--auth=scram-sha-256',
    '--encoding=UTF8',
    // PostgreSQL's own C.UTF-8 sorts the same on every system and version, unlike the C library's.
    '--locale=C',
    '--locale-provider=builtin',
    '--builtin-locale=C.UTF-8',
    '--data-checksums',
    '--no-instructions',
  ]
}

/** One statement by the server program itself, without listening anywhere; it ends with an error if that fails. */
async function runSingleUser(options: {
  binaries: Binaries
  account: Account | undefined
  folder: string
  sql: string
}): Promise<void> {
  const { binaries, account, folder, sql } = options
  const args = ['--single', '-c', 'exit_on_error=on', '-D', folder, 'postgres']
  const result = await run(join(binaries.bin, 'postgres'), args, {
    account,
    stdin: `${sql}\n`,
    timeoutMs: SINGLE_USER_TIMEOUT_MS,
  })
  if (result.code !== 0)
    throw new Error(`PostgreSQL could not prepare the cluster in ${folder}:\n${result.output}`)
}
