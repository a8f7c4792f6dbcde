import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { MqttClient } from 'mqtt'
import { connectPacket, logInRaw, openRaw, type RawClient } from '../../broker/testing.ts'
import { until } from '../../db/testing/poll.ts'
import type { TestService } from './service.ts'

/** Publishes with QoS 1 and returns when the PUBACK has come. */
export async function publish(client: MqttClient, topic: string, payload: unknown): Promise<void> {
  const raw = typeof payload === 'string' || Buffer.isBuffer(payload)
  await client.publishAsync(topic, raw ? payload : JSON.stringify(payload), { qos: 1 })
}

/** A message on `v1/hubs/{hub}/receipt`. */
export interface Receipt {
  boot: string
  seq: number
  missing?: number[]
  time: number
}

/** A message on `v1/hubs/{hub}/rejected` is a list of these. */
export interface RejectAnswer {
  reason: string
  detail: string
  device?: string
  at?: number | string
  seq?: number
}

export interface Received<T> {
  topic: string
  json: T
  retain: boolean
}

/** Subscribes and gathers what comes in; the caller says what it expects there. */
export async function collect<T>(client: MqttClient, filter: string): Promise<Received<T>[]> {
  const received: Received<T>[] = []
  client.on('message', (topic, payload, { retain }) => {
    received.push({ topic, json: JSON.parse(payload.toString()), retain })
  })
  const [grant] = await client.subscribeAsync(filter, { qos: 1 })
  if (!grant || grant.qos > 2) throw new Error(`The subscription to ${filter} was refused`)
  return received
}

/** Waits until at least so many messages have come in, and returns the last of them. */
export async function received<T>(messages: Received<T>[], count: number): Promise<Received<T>> {
  await until(`message number ${count}`, () => messages.length >= count)
  const message = messages[count - 1]
  if (!message) throw new Error(`no message number ${count}`)
  return message
}

/** Waits until the connection of a client has ended. */
export async function untilClosed(client: MqttClient): Promise<void> {
  await until('the connection ended', () => !client.connected)
}

/** The fields of a CONNECT that logs in as this username. */
export function logInFields(service: TestService, username: string) {
  return { username, password: Buffer.from(service.secretOf(username)) }
}

/** A client that sends exactly the packets it is told to, logged in. */
export function connectRaw(
  service: TestService,
  username: string,
  fields: Parameters<typeof logInRaw>[1] = {},
): Promise<RawClient> {
  return logInRaw(service.mqttPort, { ...logInFields(service, username), ...fields })
}

/** Sends a CONNECT and returns the return code of its CONNACK. */
export async function returnCodeOf(
  service: TestService,
  fields: Parameters<typeof connectPacket>[0],
): Promise<{ returnCode: number | undefined; client: RawClient }> {
  const client = await openRaw(service.mqttPort)
  client.send(connectPacket(fields))
  const { returnCode } = await client.next('connack')
  return { returnCode, client }
}

export interface ProgramResult {
  code: number | null
  stdout: string
  stderr: string
}

/** Runs a program to its end. */
export async function runProgram(
  command: string,
  args: readonly string[],
  options: { input?: string; env?: NodeJS.ProcessEnv; cwd?: string } = {},
): Promise<ProgramResult> {
  const child = spawn(command, args, { env: options.env ?? process.env, cwd: options.cwd })
  const output = { stdout: '', stderr: '' }
  child.stdout.on('data', (bytes: Buffer) => {
    output.stdout += bytes.toString()
  })
  child.stderr.on('data', (bytes: Buffer) => {
    output.stderr += bytes.toString()
  })
  child.stdin.on('error', () => {})
  child.stdin.end(options.input ?? '')
  const [code] = await once(child, 'close')
  return { code: code as number | null, ...output }
}
