import { expect, test } from 'vitest'
import { type Look, type ServerSide, whyGivenUp } from './silence.ts'

const look = (serverSide: ServerSide, bytesReceived = 10): Look => ({ serverSide, bytesReceived })

test.each<[string, Look | undefined, Look]>([
  ['one look alone', undefined, look('is gone')],
  ['the server works', look('works'), look('works')],
  ['it worked a look ago', look('works'), look('waits for us')],
  ['it works again', look('does not answer'), look('works')],
  ['something has arrived between', look('waits for us', 10), look('waits for us', 11)],
])('is not given up: %s', (_words, before, now) => {
  expect(whyGivenUp(before, now)).toBeUndefined()
})

test.each<[ServerSide, ServerSide, RegExp]>([
  ['waits for us', 'waits for us', /did not arrive/],
  ['waits for a standby', 'waits for a standby', /synchronous standby/],
  ['is gone', 'is gone', /knows it no longer/],
  ['does not answer', 'does not answer', /over another one either/],
  ['does not answer', 'is gone', /knows it no longer/],
])('is given up: %s, then %s', (before, now, reason) => {
  expect(whyGivenUp(look(before), look(now))).toMatch(reason)
})
