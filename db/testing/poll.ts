import { setTimeout as sleep } from 'node:timers/promises'

const POLL_MS = 20
const WAIT_MS_MAX = 45_000

/**
 * Waits until a condition holds; `what` names it in the error if it never does. Some tests rest on that limit: what takes a minute
 * must fail. `waitMsMax` is for what needs much of the processor, and longer on a busy machine.
 */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  waitMsMax = WAIT_MS_MAX,
): Promise<void> {
  const deadline = performance.now() + waitMsMax
  while (!(await condition())) {
    if (performance.now() >= deadline) throw new Error(`Not within ${waitMsMax / 1000} s: ${what}`)
    await sleep(POLL_MS)
  }
}
