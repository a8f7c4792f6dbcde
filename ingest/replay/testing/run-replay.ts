import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { type ProgramResult, runProgram } from '../../../contract/testing/clients.ts'
import { userEnvironment } from '../../../db/testing/user-environment.ts'

const PROGRAM = fileURLToPath(new URL('../../../commands/rejected-replay.ts', import.meta.url))

/** What it says on standard error while all goes well: on a busy machine, a line a second. */
export const ONLY_PROGRESS = /^(looked at .*\n)*$/

/** `npm run rejected:replay -- ...` */
export function runReplay(args: readonly string[], env: Record<string, string>): Promise<ProgramResult> {
  return runProgram(process.execPath, [PROGRAM, ...args], { env: userEnvironment(env), cwd: '/' })
}

/** The same, not waited for: to be killed. */
export function spawnReplay(env: Record<string, string>): ChildProcess {
  return spawn(process.execPath, [PROGRAM], { env: userEnvironment(env), cwd: '/', stdio: 'ignore' })
}
