// The cheapest possible MQTT server: it acknowledges every PUBLISH with QoS 1 and keeps nothing. What a load generator
// makes against it is the generator's own limit.
import { createServer, type Socket } from 'node:net'
import { announce } from '../processes/announce.ts'
import { PublishScanner } from './publish-scanner.ts'

const CONNECT = 1
const PINGREQ = 12
const DISCONNECT = 14
const CONNACK_BYTES = Buffer.from([0x20, 2, 0, 0])
const PINGRESP_BYTES = Buffer.from([0xd0, 0])
const PUBACK_BYTES = 4
/** Acknowledgements of one chunk: a PUBLISH with QoS 1 has 7 bytes at least, a chunk 64 KiB. */
const ANSWER_BYTES = 65_536

/** Acknowledgements of the chunk that is being read; all sockets share it while the system takes them at once. */
let answer = Buffer.allocUnsafeSlow(ANSWER_BYTES)

function serve(socket: Socket): void {
  let length = 0
  const flush = () => {
    if (length === 0) return
    socket.write(answer.subarray(0, length))
    // Not taken at once: the socket keeps these bytes.
    if (socket.writableLength > 0) answer = Buffer.allocUnsafeSlow(ANSWER_BYTES)
    length = 0
  }
  const scanner = new PublishScanner({
    onPublish: (high, low) => {
      if (length + PUBACK_BYTES > ANSWER_BYTES) flush()
      answer[length] = 0x40
      answer[length + 1] = 2
      answer[length + 2] = high
      answer[length + 3] = low
      length += PUBACK_BYTES
    },
    onOther: (type) => {
      if (type === CONNECT) socket.write(CONNACK_BYTES)
      if (type === PINGREQ) socket.write(PINGRESP_BYTES)
      if (type === DISCONNECT) socket.end()
    },
  })
  socket.on('data', (chunk: Buffer) => {
    scanner.scan(chunk)
    flush()
  })
  // A client that is gone is what its load reports.
  socket.on('error', () => {})
}

announce(createServer({ noDelay: true }, serve))
