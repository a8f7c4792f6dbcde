import { execFile } from 'node:child_process'
import { cp, mkdtemp, readdir, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join, relative } from 'node:path'

const GENERATE_TIMEOUT_MS = 120_000

export interface DriftOptions {
  /** The project's folder; drizzle-kit runs in it. */
  root: string
  /** Glob of the schema files, relative to `root`. */
  schema: string
  /** The folder of migrations; it is only read. */
  migrations: string
}

/**
 * Whether `drizzle-kit generate` would write a migration: undefined when the migrations say what the schema says, else
 * what drizzle-kit reported. Works on a copy.
 */
export async function findDrift(options: DriftOptions): Promise<string | undefined> {
  const copy = await mkdtemp(join(tmpdir(), 'frostguard-drift-'))
  try {
    await cp(options.migrations, copy, { recursive: true })
    const before = await fileNames(copy)
    // drizzle-kit 0.31 puts "./" before the folder, so an absolute path would lead elsewhere.
    const output = await drizzleKit(options.root, [
      'generate',
      '--dialect=postgresql',
      `--schema=${options.schema}`,
      `--out=${relative(options.root, copy)}`,
    ])
    // A question that it cannot ask (was this column renamed?) ends drizzle-kit with exit code 0 and no file: only
    // its word that there is nothing to do counts.
    const isUnchanged = output.includes('No schema changes') && (await fileNames(copy)) === before
    return isUnchanged ? undefined : output
  } finally {
    await rm(copy, { recursive: true })
  }
}

async function fileNames(folder: string): Promise<string> {
  return (await readdir(folder, { recursive: true })).sort().join('\n')
}

function drizzleKit(cwd: string, args: string[]): Promise<string> {
  const program = join(dirname(createRequire(import.meta.url).resolve('drizzle-kit')), 'bin.cjs')
  return new Promise((resolve, reject) => {
    const child = execFile(
      process.execPath,
      [program, ...args],
      { cwd, timeout: GENERATE_TIMEOUT_MS },
      (error, stdout, stderr) => {
        if (error?.killed) {
          reject(
            new Error(`drizzle-kit did not end within ${GENERATE_TIMEOUT_MS / 1000} s:\n${stdout}${stderr}`),
          )
        } else resolve(`${stdout}${stderr}`)
      },
    )
    child.stdin?.end()
  })
}
