import { randomInt } from 'node:crypto'
import { createServer } from 'node:net'

/** Below the ranges from which Linux (32768) and macOS (49152) take ports for outgoing connections. */
const PORT_MIN = 20_000
const PORT_MAX = 32_767
const PORT_ATTEMPTS_MAX = 50

/** Whether a server could listen on 127.0.0.1 at this port now. */
export function isPortFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer()
    probe.once('error', () => resolve(false))
    probe.listen({ host: '127.0.0.1', port }, () => probe.close(() => resolve(true)))
  })
}

/** A free port that is likely to stay free until the next start. */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < PORT_ATTEMPTS_MAX; attempt += 1) {
    const port = randomInt(PORT_MIN, PORT_MAX + 1)
    if (await isPortFree(port)) return port
  }
  throw new Error(
    `No free TCP port found on 127.0.0.1 between ${PORT_MIN} and ${PORT_MAX} in ${PORT_ATTEMPTS_MAX} attempts. ` +
      'Stop what occupies them, or set DATABASE_URL to a database of your own.',
  )
}
