import { once } from 'node:events'
import type { AddressInfo, Server } from 'node:net'

/** What a server of the benchmark prints when it listens. */
interface Announcement {
  port: number
}

/** Listens on a free port and says which on standard output; ends with the process that started this one. */
export async function announce(server: Server): Promise<void> {
  const port = Number(process.env['PORT'] ?? 0)
  server.listen({ port, host: '127.0.0.1', backlog: 4_096 })
  await once(server, 'listening')
  const announcement: Announcement = { port: (server.address() as AddressInfo).port }
  process.stdout.write(`${JSON.stringify(announcement)}\n`)
  process.on('disconnect', () => process.exit())
}
