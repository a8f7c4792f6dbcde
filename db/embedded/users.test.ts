import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { makeTestFolder, removeTestFolder } from '../testing/test-folder.ts'
import { withUsers } from './users.ts'

let folder: string
beforeAll(async () => {
  folder = await makeTestFolder()
})
afterAll(() => removeTestFolder(folder))

const count = (file: string) => withUsers(file, async (users) => users.count())

/** Another process that runs `action` (source text) under the lock and then waits, with the lock or without. */
async function otherProcess(file: string, action: string, then: 'holds the lock' | 'has left it') {
  const wait = 'new Promise((resolve) => setTimeout(resolve, 600_000))'
  const program = `
    import { withUsers } from ${JSON.stringify(import.meta.resolve('./users.ts'))}
    await withUsers(${JSON.stringify(file)}, async (users) => {
      ${action}
      ${then === 'holds the lock' ? `console.log('ready'); await ${wait}` : ''}
    })
    console.log('ready')
    await ${wait}`
  const child = spawn(process.execPath, ['--input-type=module', '--eval', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  await once(child.stdout, 'data')
  return {
    kill: async () => {
      const exited = once(child, 'exit')
      child.kill('SIGKILL')
      await exited
    },
  }
}

test('one at a time, also within one process', async () => {
  const file = join(folder, 'one')
  let inside = 0
  let insideMax = 0
  const enter = () =>
    withUsers(file, async () => {
      inside += 1
      insideMax = Math.max(insideMax, inside)
      await new Promise(setImmediate)
      inside -= 1
    })
  await Promise.all(Array.from({ length: 8 }, enter))
  expect(insideMax).toBe(1)
})

test('the lock of a killed process is free at once, and what it registered under it is forgotten', async () => {
  const file = join(folder, 'lock')
  const other = await otherProcess(file, `users.add('other')`, 'holds the lock')
  let entered = false
  const ours = withUsers(file, async (users) => {
    entered = true
    return users.count()
  })
  await new Promise(setImmediate)
  expect(entered).toBe(false)
  await other.kill()
  expect(await ours).toBe(0)
})

test('a user counts while its process lives', async () => {
  const file = join(folder, 'alive')
  const other = await otherProcess(file, `users.add('other')`, 'has left it')
  await withUsers(file, async (users) => users.add('we'))
  expect(await count(file)).toBe(2)
  await other.kill()
  expect(await count(file)).toBe(1)
  await withUsers(file, async (users) => users.remove('we'))
  expect(await count(file)).toBe(0)
})

test('a failed action registers nothing and leaves the lock', async () => {
  const file = join(folder, 'failed')
  const failing = withUsers(file, async (users) => {
    users.add('we')
    throw new Error('no server')
  })
  await expect(failing).rejects.toThrow('no server')
  expect(await count(file)).toBe(0)
})
