import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { type ProgramResult, runProgram } from '../../../contract/testing/clients.ts'

const PROGRAM = fileURLToPath(new URL('../../../rejected-replay.ts', import.meta.url))

function environment(env: Record<string, string>): NodeJS.ProcessEnv {
  const { PATH, HOME, NODE_COMPILE_CACHE } = process.env
  return { PATH, HOME, NODE_COMPILE_CACHE, ...env }
}

/** `npm run rejected:replay -- ...` */
export function runReplay(args: readonly string[], env: Record<string, string>): Promise<ProgramResult> {
  return runProgram(process.execPath, [PROGRAM, ...args], { env: environment(env), cwd: '/' })
}

/** The same, not waited for: to be killed. */
export function spawnReplay(env: Record<string, string>): ChildProcess {
  return spawn(process.execPath, [PROGRAM], { env: environment(env), cwd: '/', stdio: 'ignore' })
}
