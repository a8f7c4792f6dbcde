import { setTimeout as sleep } from 'node:timers/promises'

const POLL_MS = 20
const WAIT_MS_MAX = 45_000

/** Waits until a condition holds; `what` names it in the error if it never does. */
export async function until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + WAIT_MS_MAX
  while (!(await condition())) {
    if (performance.now() >= deadline) throw new Error(`Not within ${WAIT_MS_MAX / 1000} s: ${what}`)
    await sleep(POLL_MS)
  }
}
