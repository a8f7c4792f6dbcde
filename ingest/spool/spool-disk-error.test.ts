import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, type TestContext, test } from 'vitest'
import { idsIn, openTestSpool, testFolder } from './testing/spools.ts'
import { startAppender } from './testing/start-appender.ts'

const run = promisify(execFile)

/** Has the system answer one call on a file with an error. */
async function failing({ skip }: TestContext, call: { name: string; nth: number; file: string }) {
  const inject = `inject=${call.name}:error=EIO:when=${call.nth}`
  const strace = ['strace', '-f', '-qq', '-o', '/dev/null', '-e', `trace=${call.name}`, '-e', inject]
  try {
    await run('strace', [...strace.slice(1), 'true'])
  } catch {
    skip('strace cannot be used here, which makes the errors of the disk')
  }
  return [...strace, '-P', call.file]
}

test.for([
  { name: 'fsync', nth: 5 },
  { name: 'pwrite64', nth: 40 },
])(
  'after one $name that failed nothing is appended any more; what was appended is there',
  async (call, context) => {
    const folder = await testFolder()
    const under = await failing(context, { ...call, file: join(folder, 'spool.db-wal') })
    const appender = startAppender({ folder, batches: 40, under })
    await appender.said('done')
    appender.signal('SIGKILL')
    await appender.ended

    const [appended, failed] = [appender.ids('appended'), appender.ids('failed')]
    expect(appended.length).toBeGreaterThan(0)
    expect(failed.length).toBeGreaterThan(2)
    expect([...appended, ...failed]).toEqual(Array.from({ length: 40 }, (_, index) => index + 1))
    const spool = await openTestSpool(folder)
    expect(spool.state).toBe('ready')
    const stored = await idsIn(spool)
    expect(stored.slice(0, appended.length)).toEqual(appended)
    // The commit whose sync failed may have reached the disk all the same: its client sends it again.
    expect([0, 2]).toContain(stored.length - appended.length)
  },
)
