import { connect, type Socket } from 'node:net'
import { generate, type Packet } from 'mqtt-packet'
import { until } from './testing.ts'

/** A client of a crowd: its socket, and what came out of it, which nobody parses. */
export interface Member {
  socket: Socket
  isOpen: boolean
  isClosed: boolean
  receivedBytes: number
  /** The return code of its CONNACK. */
  returnCode: number | undefined
}

const CONNACK = 0x20
const CONNACK_BYTES = 4

/** Thousands of clients that cost this process little: plain sockets without parsers. */
export class Crowd {
  readonly members: Member[] = []
  readonly #port: number

  constructor(port: number) {
    this.#port = port
  }

  /** Opens so many sockets at once, each with these packets for a start. */
  open(count: number, packetsOf: (index: number) => Packet[] = () => []): Member[] {
    const opened = Array.from({ length: count }, (_, index) => this.#open(packetsOf(index)))
    this.members.push(...opened)
    return opened
  }

  count(fits: (member: Member) => boolean): number {
    return this.members.filter(fits).length
  }

  send(...packets: Packet[]): void {
    const bytes = Buffer.concat(packets.map((packet) => generate(packet)))
    for (const { socket } of this.members) socket.write(bytes)
  }

  async close(): Promise<void> {
    for (const { socket } of this.members) socket.destroy()
    await until(() => this.members.every(({ isClosed }) => isClosed), 'the crowd has gone')
    this.members.length = 0
  }

  #open(packets: Packet[]): Member {
    const socket = connect({ host: '127.0.0.1', port: this.#port, noDelay: true })
    const member: Member = { socket, isOpen: false, isClosed: false, receivedBytes: 0, returnCode: undefined }
    for (const packet of packets) socket.write(generate(packet))
    socket.on('connect', () => {
      member.isOpen = true
    })
    socket.on('data', (bytes: Buffer) => {
      if (member.receivedBytes === 0 && bytes[0] === CONNACK && bytes.length >= CONNACK_BYTES) {
        member.returnCode = bytes[CONNACK_BYTES - 1]
      }
      member.receivedBytes += bytes.length
    })
    socket.on('error', () => {})
    socket.on('close', () => {
      member.isClosed = true
    })
    return member
  }
}
