import { fileURLToPath, pathToFileURL } from 'node:url'
import { expect, test } from 'vitest'
import { runProgram } from './contract/testing/clients.ts'
import { THREAD_ARGUMENTS } from './thread-arguments.ts'

const ROOT = fileURLToPath(new URL('.', import.meta.url))
/** Node's own module that strips types. */
const STRIPPER = 'internal/deps/amaro'

const LOAD = `import('${pathToFileURL(`${ROOT}settings.ts`)}').then(() =>
  console.log(process.moduleLoadList.some((name) => name.includes('${STRIPPER}')) ? 'stripped' : 'known'))`
const IN_A_THREAD = `new (require('node:worker_threads').Worker)(
  new URL(${JSON.stringify(`data:text/javascript,${encodeURIComponent(LOAD)}`)}),
  { execArgv: ${JSON.stringify(THREAD_ARGUMENTS)} })`

async function run(code: string, env: NodeJS.ProcessEnv = {}): Promise<string> {
  const args = ['--import', `${ROOT}check-runtime.mjs`, '--eval', code]
  const { stdout, stderr } = await runProgram(process.execPath, args, { env, cwd: ROOT })
  return `${stdout}${stderr}`.trim()
}

test('what was stripped in a start before is not stripped again, in any thread', async () => {
  for (const code of [LOAD, IN_A_THREAD]) {
    await run(code)
    expect(await run(code)).toBe('known')
  }
})

test('where Node may keep nothing, it is', async () => {
  expect(await run(LOAD, { NODE_DISABLE_COMPILE_CACHE: '1' })).toBe('stripped')
})
