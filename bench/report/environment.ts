import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { cpus, loadavg, release, totalmem } from 'node:os'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import type { BenchContext } from '../context.ts'
import type { Environment } from './report.ts'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const MIB = 1_048_576

export async function describeEnvironment(context: BenchContext): Promise<Environment> {
  const { server, resources: _, progress: __, onLoad: ___, ...settings } = context
  // Windows does not tell it, and says 0.
  const [load = 0] = loadavg()
  const status = git('status', '--porcelain')
  return {
    commit: git('rev-parse', 'HEAD'),
    changed: status === undefined ? undefined : status !== '',
    ...(load > 0 ? { loadAverage: Math.round(load * 100) / 100 } : {}),
    machine: {
      cpus: cpus().length,
      cpu: cpus()[0]?.model ?? '',
      memoryMib: Math.round(totalmem() / MIB),
      platform: `${process.platform} ${process.arch} ${release()}`,
    },
    versions: versions(),
    postgres: await server.describe(),
    settings,
  }
}

const packageFile = z.object({ version: z.string(), dependencies: z.object({ aedes: z.string() }) })

function versions(): Record<string, string> {
  const { version, dependencies } = packageFile.parse(JSON.parse(readFileSync(`${ROOT}package.json`, 'utf8')))
  return { frostguard: version, node: process.versions.node, aedes: dependencies.aedes }
}

function git(...args: string[]): string | undefined {
  try {
    return execFileSync('git', args, {
      cwd: ROOT,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim()
  } catch {
    return undefined
  }
}

/** For the head of the table. */
export function environmentText({ commit, changed, machine, versions, postgres }: Environment): string {
  const { cpus: count, cpu, memoryMib, platform } = machine
  const of = (values: Record<string, string>) =>
    Object.entries(values).map(([name, value]) => `${name} ${value}`)
  return [
    `${commit ?? 'no commit'}${changed ? ' and changes' : ''}, ${of(versions).join(', ')}`,
    `${count} CPUs (${cpu}), ${memoryMib} MiB, ${platform}`,
    `PostgreSQL: ${of(postgres).join(', ')}\n`,
  ].join('\n')
}
