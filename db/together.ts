import type { Writable } from 'node:stream'
import type { ClientBase } from 'pg'
import { databaseError } from './errors.ts'
import { ANSWER_GRACE_MS } from './limited-query.ts'

type Statement = () => Promise<unknown>
type Answers<Statements extends readonly Statement[]> = {
  -readonly [Place in keyof Statements]: Awaited<ReturnType<Statements[Place]>>
}

/** What PostgreSQL says to whatever comes behind a statement that has failed in the same transaction. */
const IN_FAILED_TRANSACTION = '25P02'

/**
 * Sends statements of a transaction one behind the other and waits for the answers of all: a round trip, where the connection is
 * pipelined (see `createDatabase`); on another one each waits for the one before it. So none may need the answer of another. What
 * takes several statements sends its next one behind all of these: a COMMIT must not be among them. Where one fails it throws what
 * PostgreSQL said of that one, once all are answered.
 */
export async function together<const Statements extends readonly Statement[]>(
  client: ClientBase & { readonly pipeline?: boolean },
  statements: Statements,
): Promise<Answers<Statements>> {
  const answers = client.pipeline ? await sentAtOnce(client, statements) : await oneByOne(statements)
  return answers as Answers<Statements>
}

async function oneByOne(statements: readonly Statement[]): Promise<unknown[]> {
  const answers: unknown[] = []
  for (const statement of statements) answers.push(await statement())
  return answers
}

async function sentAtOnce(client: ClientBase, statements: readonly Statement[]): Promise<unknown[]> {
  const settled = await waitedFor(client, statements.length, () =>
    inOneWrite(client, () =>
      // Also one that throws before it returns a promise: those that are sent must be waited for.
      Promise.allSettled(statements.map(async (statement) => statement())),
    ),
  )
  const errors = settled.flatMap((answer) => (answer.status === 'rejected' ? [answer.reason] : []))
  if (errors.length > 0) throw errors.find(isFirst) ?? errors[0]
  return settled.map((answer) => (answer.status === 'fulfilled' ? answer.value : undefined))
}

function isFirst(error: unknown): boolean {
  return databaseError(error)?.code !== IN_FAILED_TRANSACTION
}

/** What pg has beside its type definitions: what it gives each statement that is sent, and where it writes them. */
interface Inside {
  connectionParameters: { query_timeout?: number | false }
  connection: { stream: Pick<Writable, 'cork' | 'uncork'> }
}

/** pg writes each statement by itself: each write wakes the server, and costs more than the rest of sending it. */
function inOneWrite<T>(client: ClientBase, send: () => T): T {
  const { stream } = (client as unknown as Inside).connection
  stream.cork()
  // Until then each has sent its first statement, also one that has to wait for a promise before.
  setImmediate(() => stream.uncork())
  return send()
}

/** How long one statement of a connection is waited for, and how many may be on their way, those of a group within a group too. */
const waits = new WeakMap<ClientBase, { forMs: number; sent: number }>()

/**
 * pg counts from when a statement is sent, the server from when it begins: what is sent behind others is waited for as long as
 * all of them may take.
 */
async function waitedFor<T>(client: ClientBase, count: number, send: () => Promise<T>): Promise<T> {
  const { connectionParameters } = client as unknown as Inside
  const wait = waits.get(client) ?? { forMs: connectionParameters.query_timeout || 0, sent: 0 }
  waits.set(client, wait)
  // 0 is for ever.
  const limitMs = Math.max(wait.forMs - ANSWER_GRACE_MS, 0)
  const add = (sent: number) => {
    wait.sent += sent
    connectionParameters.query_timeout = wait.forMs + limitMs * Math.max(wait.sent - 1, 0)
  }
  add(count)
  try {
    return await send()
  } finally {
    add(-count)
  }
}
