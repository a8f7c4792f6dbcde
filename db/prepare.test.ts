import { DatabaseError } from 'pg'
import { expect, test } from 'vitest'
import { mayPass } from './prepare.ts'

function refusal(code: string): DatabaseError {
  const error = new DatabaseError('refused', 0, 'error')
  error.code = code
  return error
}

function socketError(code: string): Error {
  return Object.assign(new Error(`connect ${code}`), { code })
}

test.each([
  ['nothing listens', socketError('ECONNREFUSED')],
  ['the connection is cut', socketError('ECONNRESET')],
  ['an attempt took too long', new Error('timeout expired')],
  ['the connection ended in the middle', new Error('Connection terminated unexpectedly')],
  ['it starts up', refusal('57P03')],
  ['it is stopped', refusal('57P01')],
  ['a statement was cancelled', refusal('57014')],
  ['it has no connection left', refusal('53300')],
  ['its disk is full', refusal('53100')],
  ['it is read-only', refusal('25006')],
  ['a table is locked', refusal('55P03')],
  ['a deadlock', refusal('40P01')],
  ['a sentence around one of these', new Error('Migration x failed', { cause: refusal('55P03') })],
])('passes: %s', (_words, error) => {
  expect(mayPass(error)).toBe(true)
})

test.each([
  ['a wrong password', refusal('28P01')],
  ['no such database', refusal('3D000')],
  ['no right to do it', refusal('42501')],
  ['a table that is there already', refusal('42P07')],
  ['a sentence around one of these', new Error('Migration x failed', { cause: refusal('42P07') })],
  ['a sentence of ours', new Error("The database's schema is newer than this program")],
  ['something else', 'refused'],
])('does not pass: %s', (_words, error) => {
  expect(mayPass(error)).toBe(false)
})
