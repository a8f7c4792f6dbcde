import type { Client } from 'aedes'
import type { Connection } from './connection.ts'
import type { Presence, Principal } from './types.ts'

/** The connections of the broker: all by their Aedes client, and those that have logged in by session and username. */
export class Connections {
  readonly #presence: Presence
  readonly #all = new Map<Client, Connection>()
  /** `{username}|{client id}` → its connection. */
  readonly #bySession = new Map<string, Connection>()
  readonly #byUsername = new Map<string, Set<Connection>>()
  #hubs = 0

  constructor(presence: Presence) {
    this.#presence = presence
  }

  add(connection: Connection): void {
    this.#all.set(connection.client, connection)
  }

  get(client: Client): Connection | undefined {
    return this.#all.get(client)
  }

  all(): Iterable<Connection> {
    return this.#all.values()
  }

  bySession(session: string): Connection | undefined {
    return this.#bySession.get(session)
  }

  /** Usernames of hubs with at least one connection. */
  get hubs(): number {
    return this.#hubs
  }

  logIn(connection: Connection, principal: Principal): void {
    connection.principal = principal
    const others = this.#byUsername.get(principal.username)
    if (others) others.add(connection)
    else {
      this.#byUsername.set(principal.username, new Set([connection]))
      if (principal.kind === 'hub') this.#hubs++
    }
    this.#presence.connected(principal)
  }

  /** From now on the session is this connection's; no other may hold it. */
  claimSession(session: string, connection: Connection): void {
    this.#bySession.set(session, connection)
  }

  remove(connection: Connection): void {
    if (!this.#all.delete(connection.client)) return
    const { principal, client } = connection
    if (!principal) return
    if (this.#bySession.get(client.id) === connection) this.#bySession.delete(client.id)
    const others = this.#byUsername.get(principal.username)
    others?.delete(connection)
    const last = others?.size === 0
    if (last) {
      this.#byUsername.delete(principal.username)
      if (principal.kind === 'hub') this.#hubs--
    }
    this.#presence.disconnected(principal, last)
  }
}
