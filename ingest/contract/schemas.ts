import { z } from 'zod'
import { alertMessage, unitStatusMessage } from '../operator-payloads.ts'
import * as payloads from '../payloads.ts'

/** A JSON Schema of draft 7, which AsyncAPI documents take as it is. */
export type JsonSchema = Record<string, unknown>

export type SchemaName =
  | 'hub-readings'
  | 'hub-doors'
  | 'hub-status'
  | 'device-readings'
  | 'device-doors'
  | 'rejected'
  | 'receipt'
  | 'alert'
  | 'unit-status'

const SHAPES =
  'An object with a list, a bare array or a single item. Unknown fields are ignored, null means absent.'
const LENIENT = 'A boot, seq or sent_at that breaks its rule is ignored and noted; the items stay.'

/** The published JSON Schemas by name, generated from the schemas that the decoders run. */
export function publishedSchemas(): Record<SchemaName, JsonSchema> {
  return {
    'hub-readings': jsonSchema(payloads.hubReadingsMessage, {
      title: 'Readings from a hub',
      description: `${SHAPES} ${LENIENT} A reading has at least one of ${payloads.READING_CONTENT.join(', ')}.`,
    }),
    'hub-doors': jsonSchema(payloads.hubDoorsMessage, {
      title: 'Door events from a hub',
      description: `${SHAPES} ${LENIENT}`,
    }),
    'hub-status': jsonSchema(payloads.hubStatus, {
      title: 'Status of a hub',
      description: 'Only state can reject it: another field that breaks its rule is ignored and noted.',
    }),
    'device-readings': jsonSchema(payloads.deviceReadingsMessage, {
      title: 'Readings from a device',
      description: `${SHAPES} The topic names the device; another device in the payload is rejected.`,
    }),
    'device-doors': jsonSchema(payloads.deviceDoorsMessage, {
      title: 'Door events from a device',
      description: `${SHAPES} The topic names the device; another device in the payload is rejected.`,
    }),
    rejected: jsonSchema(payloads.rejectedMessage, {
      title: 'Rejected items',
      description: 'What was set aside of one publish, and why.',
    }),
    receipt: jsonSchema(payloads.receiptMessage, {
      title: 'Receipt',
      description: 'Up to which message counter everything is durable.',
    }),
    alert: jsonSchema(alertMessage, {
      title: 'Alert transition',
      description: 'An alert as it is after what has become of it.',
    }),
    'unit-status': jsonSchema(unitStatusMessage, {
      title: 'Status of a unit',
      description: 'The status of a unit since it last changed.',
    }),
  }
}

function jsonSchema(schema: z.ZodType, about: { title: string; description: string }): JsonSchema {
  const { $schema, ...rules } = z.toJSONSchema(schema, { target: 'draft-7', io: 'input' })
  return { $schema, ...about, ...rules }
}
