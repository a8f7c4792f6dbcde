import { DatabaseError } from 'pg'
import { expect, inject, test } from 'vitest'
import { mayPass, prepareDatabase } from './prepare.ts'
import { createTestDatabase, execute } from './testing/test-database.ts'
import { makeTestFolder, removeTestFolder } from './testing/test-folder.ts'
import { SILENT_LOG } from './testing/test-server.ts'

function refusal(code: string): DatabaseError {
  const error = new DatabaseError('refused', 0, 'error')
  error.code = code
  return error
}

function socketError(code: string): Error {
  return Object.assign(new Error(`connect ${code}`), { code, syscall: 'connect' })
}

test.each([
  ['nothing listens', socketError('ECONNREFUSED')],
  ['the connection is cut', socketError('ECONNRESET')],
  ['an attempt took too long', new Error('timeout expired')],
  ['the connection ended in the middle', new Error('Connection terminated unexpectedly')],
  ['we ended it in the middle', new Error('Connection terminated')],
  ['it ended before a query', new Error('Client has encountered a connection error and is not queryable')],
  ['it was cut while we wrote', Object.assign(new Error('write EPIPE'), { code: 'EPIPE', syscall: 'write' })],
  ['the network is down', socketError('ENETDOWN')],
  ['its machine is down', socketError('EHOSTDOWN')],
  ['a stopped server has no Unix socket', socketError('ENOENT')],
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
  ['a file that is not there', Object.assign(new Error('no such file'), { code: 'ENOENT', syscall: 'open' })],
  ['a sentence of ours', new Error("The database's schema is newer than this program")],
  ['something else', 'refused'],
])('does not pass: %s', (_words, error) => {
  expect(mayPass(error)).toBe(false)
})

test('passes: a server that has taken its Unix socket away, asked for real', async () => {
  const folder = await makeTestFolder()
  const settings = {
    DATABASE_URL: `postgres://u@localhost/db?host=${encodeURIComponent(folder)}`,
    DATABASE_DIRECT_URL: undefined,
    DATA_DIR: folder,
    DATABASE_CONNECT_TIMEOUT_MS: 5_000,
    DATABASE_START_WAIT_MS: 0,
  }
  try {
    const error = await prepareDatabase(settings, SILENT_LOG).catch((reason: unknown) => reason)
    expect(error).toMatchObject({ message: expect.stringContaining('no socket there (ENOENT)') })
    expect(mayPass(error)).toBe(true)
  } finally {
    await removeTestFolder(folder)
  }
})

test('55000 passes of a log-in to a closed database, and not of a statement, asked for real', async () => {
  const database = await createTestDatabase()
  const serverUrl = inject('testServerUrl')
  const name = new URL(database.url).pathname.slice(1)
  const refused = (sql: string) => execute(database.url, sql).catch((error: unknown) => error)
  try {
    const statement = await refused('CREATE SEQUENCE s; SELECT currval($$s$$)')
    expect(statement).toMatchObject({ code: '55000' })
    expect(mayPass(new Error('Migration x failed', { cause: statement }))).toBe(false)
    await execute(serverUrl, `ALTER DATABASE ${name} ALLOW_CONNECTIONS false`)
    const logIn = await refused('SELECT 1')
    expect(logIn).toMatchObject({ code: '55000' })
    expect(mayPass(logIn)).toBe(true)
  } finally {
    await database.drop()
  }
})
