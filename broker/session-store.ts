import { Readable } from 'node:stream'
import type { AedesPublishPacket, PubrelPacket, Subscription } from 'aedes'

export interface SessionStoreOptions {
  /** Kept sessions of one username. */
  sessionsMax: number
  /** Messages kept for one session. */
  queueMax: number
  /** Aedes hands over every filter of a SUBSCRIBE packet as soon as one of them is granted, refused ones too. */
  mayKeep: (sessionId: string, filter: string) => boolean
  onSessionForgotten: () => void
  onMessageDropped: () => void
}

interface Session {
  id: string
  username: string
  /** Filter → granted QoS. */
  subscriptions: Map<string, 0 | 1 | 2>
  /** Messages without their PUBACK, oldest first, by the counter that Aedes gave them. */
  messages: Map<number, AedesPublishPacket>
  /** Packet id → counter, of those that have been sent. */
  sent: Map<number, number>
}

interface Identified {
  id: string
}

/**
 * What Aedes keeps for its clients, in memory and bounded: sessions with clean session off, and retained messages.
 * It follows the persistence interface of Aedes 1.2.0 (aedes-persistence 11). Sessions and retained messages end
 * with the process. All but our own messages are kept away from it, so that:
 * - filters and topics always begin with three literal levels (`v1/hubs/{hub}`), by which they are found;
 * - inbound QoS 2 needs no memory: a PUBLISH that is repeated goes to ingest again, which knows duplicates by
 *   their device and time;
 * - wills need none: the stored copy serves only other brokers of a cluster, and Aedes would publish the wills of
 *   connected clients from it after a jump of the wall clock.
 */
export class SessionStore {
  readonly #options: SessionStoreOptions
  /** Least recently used first. */
  readonly #sessions = new Map<string, Session>()
  readonly #sessionsByUsername = new Map<string, Set<Session>>()
  /** Group (the first three levels) → sessions with a filter in it. */
  readonly #subscribers = new Map<string, Set<Session>>()
  /** Group → topic → message. */
  readonly #retained = new Map<string, Map<string, AedesPublishPacket>>()

  constructor(options: SessionStoreOptions) {
    this.#options = options
  }

  get sessions(): number {
    return this.#sessions.size
  }

  async setup(): Promise<void> {}

  async storeRetained(packet: AedesPublishPacket): Promise<void> {
    const group = groupOf(packet.topic)
    const topics = this.#retained.get(group) ?? new Map<string, AedesPublishPacket>()
    if (packet.payload.length === 0) topics.delete(packet.topic)
    else topics.set(packet.topic, { ...packet })
    if (topics.size === 0) this.#retained.delete(group)
    else this.#retained.set(group, topics)
  }

  createRetainedStreamCombi(filters: string[]): Readable {
    return Readable.from(this.#retainedBy(filters))
  }

  *#retainedBy(filters: string[]): Generator<AedesPublishPacket> {
    for (const filter of filters) {
      for (const packet of this.#retained.get(groupOf(filter))?.values() ?? []) {
        if (matches(filter, packet.topic)) yield packet
      }
    }
  }

  async addSubscriptions(client: Identified, subscriptions: Subscription[]): Promise<void> {
    const session = this.#use(client.id) ?? this.#open(client.id)
    for (const { topic, qos } of subscriptions) {
      if (!this.#options.mayKeep(client.id, topic)) continue
      session.subscriptions.set(topic, qos)
      add(this.#subscribers, groupOf(topic), session)
    }
  }

  async removeSubscriptions(client: Identified, filters: string[]): Promise<void> {
    const session = this.#use(client.id)
    if (!session) return
    for (const filter of filters) {
      session.subscriptions.delete(filter)
      this.#leaveGroup(session, groupOf(filter))
    }
  }

  async subscriptionsByClient(client: Identified): Promise<Subscription[]> {
    const session = this.#use(client.id)
    return session ? [...session.subscriptions].map(([topic, qos]) => ({ topic, qos })) : []
  }

  /** The sessions that a message of this topic is to be kept for. */
  async subscriptionsByTopic(topic: string): Promise<{ clientId: string; topic: string }[]> {
    const found: { clientId: string; topic: string }[] = []
    for (const session of this.#subscribers.get(groupOf(topic)) ?? []) {
      const filters = session.subscriptions
      const wanted = filters.entries().some(([filter, qos]) => qos > 0 && matches(filter, topic))
      if (wanted) found.push({ clientId: session.id, topic })
    }
    return found
  }

  /** A connection with clean session on ends the session before it [MQTT-3.1.2-6]. */
  async cleanSubscriptions(client: Identified): Promise<void> {
    const session = this.#sessions.get(client.id)
    if (session) this.#close(session)
  }

  async outgoingEnqueueCombi(subscribers: { clientId: string }[], packet: AedesPublishPacket): Promise<void> {
    for (const { clientId } of subscribers) {
      const session = this.#sessions.get(clientId)
      if (!session) continue
      if (session.messages.size >= this.#options.queueMax) this.#options.onMessageDropped()
      else session.messages.set(packet.brokerCounter, { ...packet })
    }
  }

  /** Aedes has given a kept message its packet id. One that was not kept is sent all the same, and not repeated. */
  async outgoingUpdate(client: Identified, packet: AedesPublishPacket | PubrelPacket): Promise<void> {
    const session = this.#sessions.get(client.id)
    if (!session || packet.cmd !== 'publish' || packet.messageId === undefined) return
    const message = session.messages.get(packet.brokerCounter)
    if (!message) return
    message.messageId = packet.messageId
    session.sent.set(packet.messageId, packet.brokerCounter)
  }

  /** PUBACK. Without a packet id nothing has been sent, so nothing is over. */
  async outgoingClearMessageId(
    client: Identified,
    packet: { messageId?: number | undefined },
  ): Promise<AedesPublishPacket | undefined> {
    const session = this.#sessions.get(client.id)
    if (!session || packet.messageId === undefined) return undefined
    const counter = session.sent.get(packet.messageId)
    if (counter === undefined) return undefined
    const message = session.messages.get(counter)
    session.sent.delete(packet.messageId)
    session.messages.delete(counter)
    return message
  }

  outgoingStream(client: Identified): Readable {
    return Readable.from([...(this.#sessions.get(client.id)?.messages.values() ?? [])])
  }

  async incomingStorePacket(): Promise<void> {}

  /** PUBREL finds its message, so that Aedes counts it as done; PUBLISH never does, so that it is taken again. */
  async incomingGetPacket(_client: Identified, packet: { cmd: string }): Promise<{ cmd: string }> {
    if (packet.cmd === 'pubrel') return packet
    throw new Error('no such packet')
  }

  async incomingDelPacket(): Promise<void> {}

  async cleanIncoming(): Promise<void> {}

  async putWill(): Promise<void> {}

  async delWill(): Promise<void> {}

  streamWill(): Readable {
    return Readable.from([])
  }

  /** The session, moved to the recently used end. */
  #use(id: string): Session | undefined {
    const session = this.#sessions.get(id)
    if (!session) return undefined
    this.#sessions.delete(id)
    this.#sessions.set(id, session)
    const siblings = this.#sessionsByUsername.get(session.username)
    siblings?.delete(session)
    siblings?.add(session)
    return session
  }

  #open(id: string): Session {
    const username = usernameOf(id)
    const siblings = this.#sessionsByUsername.get(username)
    if (siblings && siblings.size >= this.#options.sessionsMax) this.#forgetOldest(siblings)
    const session: Session = {
      id,
      username,
      subscriptions: new Map(),
      messages: new Map(),
      sent: new Map(),
    }
    this.#sessions.set(id, session)
    add(this.#sessionsByUsername, username, session)
    return session
  }

  #forgetOldest(siblings: Set<Session>): void {
    const oldest = siblings.values().next().value
    if (!oldest) return
    this.#close(oldest)
    this.#options.onSessionForgotten()
  }

  #close(session: Session): void {
    this.#sessions.delete(session.id)
    remove(this.#sessionsByUsername, session.username, session)
    const groups = new Set([...session.subscriptions.keys()].map(groupOf))
    for (const group of groups) remove(this.#subscribers, group, session)
  }

  #leaveGroup(session: Session, group: string): void {
    const stays = session.subscriptions.keys().some((filter) => groupOf(filter) === group)
    if (!stays) remove(this.#subscribers, group, session)
  }
}

/** Whether a topic filter matches a topic [MQTT-4.7]; both are checked by the topic rules before. */
function matches(filter: string, topic: string): boolean {
  if (filter === topic) return true
  const wanted = filter.split('/')
  const levels = topic.split('/')
  for (const [index, level] of wanted.entries()) {
    if (level === '#') return true
    if (index >= levels.length || (level !== '+' && level !== levels[index])) return false
  }
  return wanted.length === levels.length
}

function groupOf(topic: string): string {
  return topic.split('/', 3).join('/')
}

/** Session ids are `{username}|{client id}`; a username has no `|`. */
function usernameOf(sessionId: string): string {
  return sessionId.slice(0, sessionId.indexOf('|'))
}

function add<K, V>(sets: Map<K, Set<V>>, key: K, value: V): void {
  const set = sets.get(key)
  if (set) set.add(value)
  else sets.set(key, new Set([value]))
}

function remove<K, V>(sets: Map<K, Set<V>>, key: K, value: V): void {
  const set = sets.get(key)
  set?.delete(value)
  if (set?.size === 0) sets.delete(key)
}
