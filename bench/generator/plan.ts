/**
 * What a load publishes, as pure functions of connection and message number: so a row of the database can be traced
 * to its message, and the same rows can be written without a broker.
 */
export interface LoadPlan {
  connections: number
  readingsPerMessage: number
  /** Of one connection alone; whole messages of them: its messages take turns through them. */
  devicesPerConnection: number
  /** Hex digits that every DevEUI begins with. */
  euiPrefix: string
  /** Time of the first reading of every device, epoch milliseconds. */
  startAtMs: number
  /** From one reading of a device to its next. */
  stepMs: number
}

/** Which devices, by number from 1, a message speaks of: `readingsPerMessage` of them from `firstDevice` on. */
export interface PlannedMessage {
  firstDevice: number
  atMs: number
}

const EUI_DIGITS = 16

/** Devices of one connection that can be used: no two connections share one, no message names one twice. */
export function devicesPerConnection(options: {
  connections: number
  readingsPerMessage: number
  devices: number
}): number {
  const { connections, readingsPerMessage, devices } = options
  const share = Math.floor(devices / connections)
  return share - (share % readingsPerMessage)
}

/** How many messages of one connection it takes until a device has its turn again. */
export function messagesPerTurn({ devicesPerConnection: devices, readingsPerMessage }: LoadPlan): number {
  return devices / readingsPerMessage
}

/**
 * What message `message` of connection `connection` holds, both counted from 0. No (device, time) comes twice; as
 * hubs do, the connections measure at different phases of a step.
 */
export function plannedMessage(plan: LoadPlan, connection: number, message: number): PlannedMessage {
  const perTurn = messagesPerTurn(plan)
  const turn = Math.floor(message / perTurn)
  const phaseMs = Math.floor((connection * plan.stepMs) / plan.connections)
  return {
    firstDevice: 1 + connection * plan.devicesPerConnection + (message % perTurn) * plan.readingsPerMessage,
    atMs: plan.startAtMs + phaseMs + turn * plan.stepMs,
  }
}

/** The DevEUI of the device with this number. */
export function euiOf({ euiPrefix }: Pick<LoadPlan, 'euiPrefix'>, device: number): string {
  return euiPrefix + device.toString(16).padStart(EUI_DIGITS - euiPrefix.length, '0')
}

/** What a device measures, always: in fixed widths, so that all messages of a load have the same length. */
export function measuredBy(device: number) {
  return {
    temperature: (200 + (device % 600)) / 100,
    humidity: (400 + (device % 500)) / 10,
    battery: 50 + (device % 50),
    rssi: -60 - (device % 40),
    snr: (10 + (device % 80)) / 10,
  }
}
