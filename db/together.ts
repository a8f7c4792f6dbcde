import type { ClientBase } from 'pg'
import { databaseError } from './errors.ts'

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
  const answers = client.pipeline ? await sentAtOnce(statements) : await oneByOne(statements)
  return answers as Answers<Statements>
}

async function oneByOne(statements: readonly Statement[]): Promise<unknown[]> {
  const answers: unknown[] = []
  for (const statement of statements) answers.push(await statement())
  return answers
}

async function sentAtOnce(statements: readonly Statement[]): Promise<unknown[]> {
  const settled = await Promise.allSettled(statements.map((statement) => statement()))
  const errors = settled.flatMap((answer) => (answer.status === 'rejected' ? [answer.reason] : []))
  if (errors.length > 0) throw errors.find(isFirst) ?? errors[0]
  return settled.map((answer) => (answer.status === 'fulfilled' ? answer.value : undefined))
}

function isFirst(error: unknown): boolean {
  return databaseError(error)?.code !== IN_FAILED_TRANSACTION
}
