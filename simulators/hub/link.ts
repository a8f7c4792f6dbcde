import type { PublisherName } from '../types.ts'

/** Why a connection could not be made, or ended. */
export interface LinkFailure {
  /** `refused`: the broker knows the username or the password not, or may not let it in (CONNACK 4, 5). */
  kind: 'refused' | 'lost'
  /** A few words, for example "connect ECONNREFUSED 127.0.0.1:1883". */
  reason: string
}

/** What a connection tells its hub. `lost` comes once and last, unless the hub has closed the connection itself. */
export interface LinkEvents {
  opened(): void
  lost(failure: LinkFailure): void
  /** A message on one of the topics that were subscribed to. */
  received(topic: string, payload: Buffer): void
}

/** One connection to the broker, from its attempt to its end. */
export interface Link {
  /** QoS 1, not retained. `acknowledged` is called with the PUBACK, and never when the connection ends before. */
  publish(topic: string, payload: Buffer | string, acknowledged: () => void): void
  subscribe(topics: readonly string[]): void
  /**
   * Destroys the socket, as when a cable is pulled: with `isWritten` after what was published has left it, otherwise
   * before. Either way nothing is heard any more.
   */
  cut(isWritten: boolean): void
  /** Says DISCONNECT and waits until the connection has ended. */
  close(): Promise<void>
}

export interface LogIn {
  username: PublisherName
  password: string
  will: { topic: string; payload: string } | undefined
}

export type OpenLink = (logIn: LogIn, events: LinkEvents) => Link
