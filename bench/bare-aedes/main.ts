// Aedes with nothing behind it: every publish is authorized at once and nobody subscribes. What it acknowledges is
// the most that a broker built on it can.
import { createServer, type Socket } from 'node:net'
import { Aedes } from 'aedes'
import { announce } from '../processes/announce.ts'

const aedes = await Aedes.createBroker({
  authorizePublish: (_client, _packet, callback) => callback(null),
})

function serve(socket: Socket): void {
  readAll(socket)
  aedes.handle(socket)
}

/**
 * Since Node 26 `read()` gives the first of several chunks (nodejs/node#60441), and Aedes, which reads once per
 * event, would wait for the others until more data comes. Asked for all that is there, a stream copies nothing when
 * that is one chunk.
 */
function readAll(socket: Socket): void {
  const read = socket.read.bind(socket)
  socket.read = (size?: number) => (size === 0 ? read(0) : read(socket.readableLength || size))
}

announce(createServer({ noDelay: true }, serve))
