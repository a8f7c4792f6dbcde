/** Why a CONNECT was answered with a return code other than 0. */
export type LogInRefusal = 'protocol' | 'identifier' | 'unavailable' | 'bad_credentials' | 'not_authorized'

/** Why the frame guard ended a connection. */
export type FrameViolation =
  | 'frame_before_log_in'
  | 'message_too_large'
  | 'packet_too_large'
  | 'malformed_length'

/** Why a new socket was not taken in: a limit of all or of its address, of open connections or of connects a second. */
export type ConnectionRefusal = 'connections' | 'connections_of_address' | 'connects' | 'connects_of_address'

/** What the broker has seen since it was created. Every number only grows. */
export interface BrokerCounters {
  /** Publishes and last wills handed to `accept`. */
  messagesAccepted: number
  /** Of these, larger than MQTT_MESSAGE_BYTES_MAX: handed on with their beginning only. */
  messagesOversized: number
  /** Of these, last wills. */
  willsAccepted: number
  /** Last wills that were not handed on, because too much of their username waited for its commit. */
  willsRefused: number
  /** `done` came with an error: the connection ended without an acknowledgement. */
  messagesFailed: number
  /** `done` came after its client had gone: stored, but not acknowledged. */
  acknowledgementsDropped: number
  /** Publishes to a topic that is not the client's; the connection ended. */
  publishesRefused: number
  /** Publishes and wills that came after `stopIntake`; not accepted, not acknowledged. */
  messagesAfterStop: number
  /** The retain flag of a data message was removed. */
  retainFlagsIgnored: number
  subscribesRefused: number
  /** Client ids, usernames and topics with control characters or bytes that are not UTF-8. */
  badStrings: number
  logInsAccepted: number
  logInsRefused: Record<LogInRefusal, number>
  /** Log-ins refused without checking the secret, after too many wrong ones (MQTT_LOG_IN_FAILURES_MAX and per address). */
  logInsLockedOut: number
  /** Log-ins of hubs beyond MQTT_FLAPPING_LOG_INS_PER_MINUTE. */
  logInsFlapping: number
  /** A log-in with the client id of a live connection of the same user ended that connection. */
  takeovers: number
  /** Takeovers that had to wait (MQTT_TAKEOVERS_PER_MINUTE_MAX): two clients use one client id. */
  takeoversSlowed: number
  /** Connections ended by the frame guard. */
  frames: Record<FrameViolation, number>
  /** Sockets reset at once. */
  connectionsRefused: Record<ConnectionRefusal, number>
  /** Sockets without a CONNECT that made room for new ones (MQTT_UNAUTHENTICATED_MAX). */
  unauthenticatedDropped: number
  /** TLS handshakes that failed. */
  tlsFailures: number
  /** HTTP requests on the WebSocket port that were not MQTT over WebSocket. */
  webSocketsRefused: number
  keepaliveTimeouts: number
  /** Clients dropped because their socket took nothing for MQTT_DRAIN_TIMEOUT_MS. */
  frozenClientsDropped: number
  /** Clients dropped because of MQTT_QOS2_IN_FLIGHT_MAX. */
  qos2InFlightExceeded: number
  /** Connections ended by any other protocol or socket error. */
  connectionErrors: number
  /** A connection was not read past a PUBLISH because its username, or all, held too much (MQTT_HELD_BYTES_MAX). */
  readsHeld: number
  /** Our own messages handed to Aedes. */
  ownMessagesPublished: number
  /** Our own messages refused because MQTT_PUBLISH_QUEUE_MAX were on their way. */
  ownMessagesRefused: number
  /** Messages not kept for a session because MQTT_SESSION_QUEUE_MAX were waiting in it. */
  sessionMessagesDropped: number
  /** Sessions forgotten because of MQTT_SESSIONS_MAX. */
  sessionsForgotten: number
}

export function createCounters(): BrokerCounters {
  return {
    messagesAccepted: 0,
    messagesOversized: 0,
    willsAccepted: 0,
    willsRefused: 0,
    messagesFailed: 0,
    acknowledgementsDropped: 0,
    publishesRefused: 0,
    messagesAfterStop: 0,
    retainFlagsIgnored: 0,
    subscribesRefused: 0,
    badStrings: 0,
    logInsAccepted: 0,
    logInsRefused: { protocol: 0, identifier: 0, unavailable: 0, bad_credentials: 0, not_authorized: 0 },
    logInsLockedOut: 0,
    logInsFlapping: 0,
    takeovers: 0,
    takeoversSlowed: 0,
    frames: { frame_before_log_in: 0, message_too_large: 0, packet_too_large: 0, malformed_length: 0 },
    connectionsRefused: { connections: 0, connections_of_address: 0, connects: 0, connects_of_address: 0 },
    unauthenticatedDropped: 0,
    tlsFailures: 0,
    webSocketsRefused: 0,
    keepaliveTimeouts: 0,
    frozenClientsDropped: 0,
    qos2InFlightExceeded: 0,
    connectionErrors: 0,
    readsHeld: 0,
    ownMessagesPublished: 0,
    ownMessagesRefused: 0,
    sessionMessagesDropped: 0,
    sessionsForgotten: 0,
  }
}
