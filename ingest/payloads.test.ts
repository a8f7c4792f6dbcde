import { expect, test } from 'vitest'
import { z } from 'zod'
import * as payloads from './payloads.ts'

const { count, deviceDoorEvent, deviceReading, hubDoorEvent, hubReading, hubState, shortText, time } =
  payloads

test.each(
  Object.entries({
    count,
    deviceDoorEvent,
    deviceReading,
    hubDoorEvent,
    hubReading,
    hubState,
    shortText,
    time,
  }),
)('%s compiles: the hot path never falls back to the slow parser unseen', (_, schema) => {
  expect(() => z.compile<z.ZodType>(schema, { strict: true })).not.toThrow()
})
