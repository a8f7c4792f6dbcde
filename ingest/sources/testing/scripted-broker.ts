import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { generate, type Packet, parser } from 'mqtt-packet'

type Received<Cmd extends Packet['cmd']> = Extract<Packet, { cmd: Cmd }>

/** The other end of one connection at a time: it answers CONNECT and SUBSCRIBE, and sends what a test tells it to. */
export class ScriptedBroker {
  readonly received: Packet[] = []
  /** When each CONNECT came, `performance.now()` milliseconds. */
  readonly connectedAtMs: number[] = []
  /** What CONNACK says of the session. */
  sessionPresent = false
  /** The QoS that SUBACK gives; 0x80 refuses, undefined sends none. */
  grants: number | undefined = 1
  /** Whether CONNECT is answered. */
  answersConnect = true
  readonly #server: Server
  #socket: Socket | undefined

  /** By `startScriptedBroker`. */
  constructor() {
    this.#server = createServer((socket) => this.#take(socket))
  }

  get url(): string {
    return `mqtt://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  async listen(): Promise<void> {
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
  }

  all<Cmd extends Packet['cmd']>(cmd: Cmd): Received<Cmd>[] {
    return this.received.filter((packet): packet is Received<Cmd> => packet.cmd === cmd)
  }

  /** Packet ids of the PUBACKs, in the order in which they came. */
  get acknowledged(): (number | undefined)[] {
    return this.all('puback').map(({ messageId }) => messageId)
  }

  send(packet: Packet): void {
    this.#socket?.write(generate(packet))
  }

  publish(
    messageId: number,
    topic = 'a',
    fields: { qos?: 0 | 1; retain?: boolean; payload?: string } = {},
  ): void {
    const { qos = 1, retain = false, payload = String(messageId) } = fields
    this.send({
      cmd: 'publish',
      topic,
      payload,
      qos,
      dup: false,
      retain,
      ...(qos === 1 ? { messageId } : {}),
    })
  }

  get isConnected(): boolean {
    return this.#socket !== undefined
  }

  /** Stands still: reads nothing more, not even the end of the connection. */
  freeze(): void {
    this.#socket?.pause()
  }

  /** Sends bytes that are no packet. */
  sendBytes(bytes: Buffer): void {
    this.#socket?.write(bytes)
  }

  /** Cuts the connection. */
  cut(): void {
    this.#socket?.destroy()
  }

  async close(): Promise<void> {
    this.cut()
    this.#server.close()
    await once(this.#server, 'close')
  }

  #take(socket: Socket): void {
    this.#socket = socket
    const packets = parser({ protocolVersion: 4 })
    packets.on('packet', (packet) => {
      this.received.push(packet)
      if (packet.cmd === 'connect') {
        this.connectedAtMs.push(performance.now())
        const { sessionPresent } = this
        if (this.answersConnect) this.send({ cmd: 'connack', returnCode: 0, sessionPresent })
      }
      if (packet.cmd === 'pingreq') this.send({ cmd: 'pingresp' })
      const { grants } = this
      if (packet.cmd === 'subscribe' && grants !== undefined) {
        const granted = packet.subscriptions.map(() => grants)
        this.send({ cmd: 'suback', messageId: packet.messageId ?? 0, granted })
      }
    })
    socket.on('data', (bytes: Buffer) => packets.parse(bytes))
    socket.on('error', () => {})
    socket.on('close', () => {
      if (this.#socket === socket) this.#socket = undefined
    })
  }
}

export async function startScriptedBroker(): Promise<ScriptedBroker> {
  const broker = new ScriptedBroker()
  await broker.listen()
  return broker
}
