import type { Socket } from 'node:net'
import type { Client, ClientBase } from 'pg'

/** An end that the other side does not confirm within this is not waited for. */
const END_MS = 1_000

/** Ends a connection without a word to the server, which may be hanging: what is under way fails at once, with `reason` if given. */
export function cutConnection(client: ClientBase, reason?: Error): void {
  socketOf(client).destroy(reason)
}

/**
 * As `cutConnection`, and takes back what the server has not received: the end of the connection would come behind it, and a
 * server that waits for a lock would not see it. TLS cannot do that, and a Unix socket need not.
 */
export function resetConnection(client: ClientBase): void {
  const socket = socketOf(client)
  try {
    socket.resetAndDestroy()
    // It waits for what is still to be written.
    if (socket.writableLength > 0) socket.destroy()
  } catch {
    socket.destroy()
  }
}

/** Ends a connection of ours, also one that is cut off without our knowing: its end would never be confirmed. */
export async function endConnection(client: Client): Promise<void> {
  const limit = setTimeout(() => cutConnection(client), END_MS)
  await client.end()
  clearTimeout(limit)
}

/** Bytes that have come from the server. */
export function bytesReceived(client: ClientBase): number {
  return socketOf(client).bytesRead
}

/** pg does not tell its socket; TLS replaces it while it connects. */
function socketOf(client: ClientBase): Socket {
  const { connection } = client as unknown as { connection: { stream: Socket } }
  return connection.stream
}
