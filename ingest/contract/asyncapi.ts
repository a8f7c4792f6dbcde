import { CHANNELS, type Channel, PARAMETERS } from './channels.ts'
import { type JsonSchema, publishedSchemas } from './schemas.ts'

/** Version of the public contract: its first number stands in the topics. */
const CONTRACT_VERSION = '1.0.0'

/** Version of the AsyncAPI bindings for MQTT: https://github.com/asyncapi/bindings/tree/master/mqtt */
const MQTT_BINDING_VERSION = '0.2.0'

const DESCRIPTION = [
  'Cold-chain telemetry over MQTT. A PUBACK means that every reading of the message is committed in PostgreSQL,',
  'durably set aside with a reason, or synced to the local spool because the database is away.',
  'The rules in full: protocol.md.',
].join(' ')

/** The public contract as an AsyncAPI 3.0 document. Source of the form: https://www.asyncapi.com/docs/reference/specification/v3.0.0 */
export function asyncApiDocument() {
  return {
    asyncapi: '3.0.0',
    info: {
      title: 'FrostGuard',
      version: CONTRACT_VERSION,
      description: DESCRIPTION,
      license: { name: 'Apache-2.0', url: 'https://www.apache.org/licenses/LICENSE-2.0' },
    },
    defaultContentType: 'application/json',
    servers: servers(),
    channels: mapValues(CHANNELS, channelObject),
    operations: mapValues(CHANNELS, operationObject),
    components: {
      messages: mapValues(CHANNELS, messageObject),
      schemas: publishedSchemas(),
      securitySchemes: {
        password: {
          type: 'userPassword',
          description:
            'Username and password of CONNECT: key and secret of a hub, device, network server or operator',
        },
        certificate: { type: 'X509', description: 'Client certificate; its common name is the username' },
      },
    },
  }
}

function servers() {
  const password = reference('components', 'securitySchemes', 'password')
  const certificate = reference('components', 'securitySchemes', 'certificate')
  const common = { protocolVersion: '3.1.1', security: [password] }
  return {
    tcp: { host: 'localhost:1883', protocol: 'mqtt', ...common, description: 'MQTT 3.1 and 3.1.1 over TCP' },
    tls: {
      host: 'localhost:8883',
      protocol: 'secure-mqtt',
      ...common,
      security: [password, certificate],
      description: 'The same over TLS, when configured',
    },
    webSocket: {
      host: 'localhost:8083',
      pathname: '/mqtt',
      protocol: 'ws',
      ...common,
      description: 'The same over WebSocket, when configured',
    },
  }
}

function channelObject(name: string, { address, title }: Channel) {
  const parameters = [...address.matchAll(/\{(\w+)\}/g)].map(([, parameter]) => parameter ?? '')
  return {
    address,
    title,
    parameters: Object.fromEntries(parameters.map((parameter) => [parameter, PARAMETERS[parameter]])),
    messages: { [name]: reference('components', 'messages', name) },
  }
}

function operationObject(name: string, { action, title, retain }: Channel) {
  const mqtt = { qos: 1, ...(retain && { retain }), bindingVersion: MQTT_BINDING_VERSION }
  return {
    action,
    title,
    channel: reference('channels', name),
    messages: [reference('channels', name, 'messages', name)],
    bindings: { mqtt },
  }
}

function messageObject(name: string, { title, payload }: Channel) {
  return { name, title, contentType: 'application/json', payload: payloadSchema(payload) }
}

function payloadSchema(payload: Channel['payload']): JsonSchema {
  if ('schema' in payload) return reference('components', 'schemas', payload.schema)
  return { type: 'object', description: payload.description }
}

function reference(...path: string[]): { $ref: string } {
  return { $ref: `#/${path.join('/')}` }
}

function mapValues<In, Out>(record: Readonly<Record<string, In>>, change: (name: string, value: In) => Out) {
  return Object.fromEntries(Object.entries(record).map(([name, value]) => [name, change(name, value)]))
}
