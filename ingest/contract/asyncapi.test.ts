/** The structure that AsyncAPI 3.0.0 asks for, as far as it can be checked without its own tools. */
import { describe, expect, test } from 'vitest'
import { parseRoute } from '../../broker/topics.ts'
import { isRecord, type JsonRecord } from '../decode/value.ts'
import { asyncApiDocument } from './asyncapi.ts'

const document = record(JSON.parse(JSON.stringify(asyncApiDocument())))
const channels = record(document['channels'])
const operations = record(document['operations'])

function record(value: unknown): JsonRecord {
  if (!isRecord(value)) throw new Error(`expected an object, got ${typeof value}`)
  return value
}

function resolve(reference: string): unknown {
  const [root, ...path] = reference.split('/')
  expect(root).toBe('#')
  return path.reduce<unknown>((found, name) => record(found)[name], document)
}

function references(value: unknown): string[] {
  if (Array.isArray(value)) return value.flatMap(references)
  if (!isRecord(value)) return []
  const own = value['$ref']
  return typeof own === 'string' ? [own] : Object.values(value).flatMap(references)
}

test('the document has its required fields and no unknown ones', () => {
  expect(document['asyncapi']).toBe('3.0.0')
  expect(record(document['info'])).toMatchObject({
    title: 'FrostGuard',
    version: expect.stringMatching(/^1\.\d+\.\d+$/),
  })
  const fields = ['asyncapi', 'info', 'defaultContentType', 'servers', 'channels', 'operations', 'components']
  expect(Object.keys(document)).toEqual(fields)
})

test('every reference leads somewhere', () => {
  const found = references(document)
  expect(found.length).toBeGreaterThan(30)
  for (const reference of found) expect(resolve(reference), reference).toBeDefined()
})

test('keys are such as AsyncAPI allows in components', () => {
  for (const part of Object.values(record(document['components']))) {
    for (const name of Object.keys(record(part))) expect(name).toMatch(/^[A-Za-z0-9.\-_]+$/)
  }
})

test('every server has a host and a protocol, none in its host', () => {
  for (const server of Object.values(record(document['servers']))) {
    expect(server).toMatchObject({ host: expect.not.stringContaining('/'), protocol: expect.any(String) })
  }
})

describe.each(Object.keys(channels))('channel %s', (name) => {
  const channel = record(channels[name])
  const address = String(channel['address'])

  test('declares just the parameters of its address, each described', () => {
    const placeholders = [...address.matchAll(/\{(\w+)\}/g)].map(([, parameter]) => parameter)
    const parameters = record(channel['parameters'])
    expect(Object.keys(parameters)).toEqual(placeholders)
    for (const parameter of Object.values(parameters)) {
      expect(parameter).toMatchObject({ description: expect.any(String) })
    }
  })

  test('has one operation, whose messages are those of the channel', () => {
    const operation = record(operations[name])
    expect(['send', 'receive']).toContain(operation['action'])
    expect(operation['channel']).toEqual({ $ref: `#/channels/${name}` })
    const messages = Object.keys(record(channel['messages']))
    expect(operation['messages']).toEqual(
      messages.map((message) => ({ $ref: `#/channels/${name}/messages/${message}` })),
    )
  })

  test('is a data topic of the broker if, and only if, clients publish to it', () => {
    const examples = { devEui: '24e124136b502f4a', chirpstackEvent: 'up', thingsStackEvent: 'join' }
    const values = new Map(Object.entries(examples))
    const topic = address.replaceAll(/\{(\w+)\}/g, (_, parameter: string) => values.get(parameter) ?? 'x')
    expect(parseRoute(topic) !== undefined).toBe(record(operations[name])['action'] === 'receive')
  })
})

test('there is no operation without a channel', () => {
  expect(Object.keys(operations)).toEqual(Object.keys(channels))
})
