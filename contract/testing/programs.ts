import { spawnSync } from 'node:child_process'

/** Whether a program of the system can be run; tests that need it are skipped where it cannot. */
export function hasProgram(command: string, args: readonly string[] = ['--version']): boolean {
  return spawnSync(command, args, { stdio: 'ignore' }).error === undefined
}

/** Python with paho: Debian's own, which has the packages that apt installs. */
export const PYTHON = '/usr/bin/python3'

export function hasPaho(): boolean {
  return spawnSync(PYTHON, ['-c', 'import paho.mqtt.client'], { stdio: 'ignore' }).status === 0
}
