import type { SchemaName } from './schemas.ts'

/** One topic of the protocol as the AsyncAPI document has it. */
export interface Channel {
  address: string
  /** Seen from the server: what it receives, clients publish. */
  action: 'receive' | 'send'
  title: string
  /** The published schema of the payload, or in words what it is. */
  payload: { schema: SchemaName } | { description: string }
  retain?: true
}

/** Of The Things Stack: some are two levels of the topic. */
const THINGS_STACK_EVENTS = [
  'up',
  'join',
  'down/queued',
  'down/sent',
  'down/ack',
  'down/nack',
  'down/failed',
  'service/data',
  'location/solved',
]

/** The variable parts of the addresses. */
export const PARAMETERS: Readonly<Record<string, { description: string; enum?: readonly string[] }>> = {
  hub: { description: 'Key of the hub, which is also its username' },
  devEui: { description: 'DevEUI of the device' },
  slug: { description: 'Slug of the organization' },
  unitPublicId: { description: 'The public id of the unit, a UUID' },
  applicationId: { description: 'Id of the application in ChirpStack' },
  chirpstackEvent: {
    description: 'Kind of event',
    enum: ['up', 'join', 'status', 'ack', 'txack', 'log', 'location', 'integration'],
  },
  application: { description: 'Id of the application in The Things Stack' },
  tenant: { description: 'Id of the tenant in The Things Stack' },
  deviceId: { description: 'Id of the device in The Things Stack' },
  thingsStackEvent: { description: 'Kind of event', enum: THINGS_STACK_EVENTS },
}

export const CHANNELS: Readonly<Record<string, Channel>> = {
  hubReadings: {
    address: 'v1/hubs/{hub}/readings',
    action: 'receive',
    title: 'Readings of the devices of a hub',
    payload: { schema: 'hub-readings' },
  },
  hubDoors: {
    address: 'v1/hubs/{hub}/doors',
    action: 'receive',
    title: 'Door events of the devices of a hub',
    payload: { schema: 'hub-doors' },
  },
  hubStatus: {
    address: 'v1/hubs/{hub}/status',
    action: 'receive',
    title: 'Status of a hub; "offline" is its last will',
    payload: { schema: 'hub-status' },
  },
  deviceReadings: {
    address: 'v1/devices/{devEui}/readings',
    action: 'receive',
    title: 'Readings of a device with its own network',
    payload: { schema: 'device-readings' },
  },
  deviceDoors: {
    address: 'v1/devices/{devEui}/doors',
    action: 'receive',
    title: 'Door events of a device with its own network',
    payload: { schema: 'device-doors' },
  },
  chirpstackEvents: {
    address: 'application/{applicationId}/device/{devEui}/event/{chirpstackEvent}',
    action: 'receive',
    title: 'Events of a ChirpStack v4 network server',
    payload: { description: 'The event JSON of ChirpStack v4' },
  },
  thingsStackEvents: {
    address: 'v3/{application}@{tenant}/devices/{deviceId}/{thingsStackEvent}',
    action: 'receive',
    title: 'Messages of a The Things Stack v3 network server',
    payload: { description: 'The message JSON of The Things Stack v3' },
  },
  hubRejected: {
    address: 'v1/hubs/{hub}/rejected',
    action: 'send',
    title: 'What was set aside of one publish of the hub',
    payload: { schema: 'rejected' },
  },
  hubReceipt: {
    address: 'v1/hubs/{hub}/receipt',
    action: 'send',
    title: 'Up to where the messages of the hub are durable',
    payload: { schema: 'receipt' },
    retain: true,
  },
  hubCommands: {
    address: 'v1/hubs/{hub}/commands',
    action: 'send',
    title: 'Commands and settings for a hub, for example the reporting interval',
    payload: { description: 'A command or setting' },
  },
  organizationAlerts: {
    address: 'v1/orgs/{slug}/alerts',
    action: 'send',
    title: 'One message per alert transition of an organization',
    payload: { schema: 'alert' },
  },
  unitStatus: {
    address: 'v1/orgs/{slug}/units/{unitPublicId}',
    action: 'send',
    title: 'Status of a unit',
    payload: { schema: 'unit-status' },
    retain: true,
  },
}
