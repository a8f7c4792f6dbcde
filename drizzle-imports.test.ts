import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { runProgram } from './contract/testing/clients.ts'

const HOOK = fileURLToPath(new URL('./drizzle-imports.mjs', import.meta.url))
const ROOT = fileURLToPath(new URL('.', import.meta.url))
const ROUNDS = 3

/** Imports what we import; prints each module with its format, and the CPU that it took. */
const PROGRAM = `
  import { registerHooks } from 'node:module'
  const modules = []
  registerHooks({
    load(url, context, nextLoad) {
      modules.push(url + ' ' + context.format)
      return nextLoad(url, context)
    },
  })
  await import('drizzle-orm')
  await import('drizzle-orm/node-postgres')
  await import('drizzle-orm/pg-core')
  await import('drizzle-zod')
  const { user, system } = process.cpuUsage()
  console.log(JSON.stringify({ modules, cpuMicros: user + system }))`

async function importDrizzle(flags: readonly string[]): Promise<{ modules: string[]; cpuMicros: number }> {
  const args = [...flags, '--input-type=module', '--eval', PROGRAM]
  const { code, stdout, stderr } = await runProgram(process.execPath, args, { env: {}, cwd: ROOT })
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  return JSON.parse(stdout)
}

test('the same modules in the same format, for less CPU', async () => {
  let plainMicros = Number.POSITIVE_INFINITY
  let hookedMicros = Number.POSITIVE_INFINITY
  for (let round = 0; round < ROUNDS; round++) {
    const plain = await importDrizzle([])
    const hooked = await importDrizzle(['--import', HOOK])
    expect(plain.modules.length).toBeGreaterThan(50)
    expect(hooked.modules).toEqual(plain.modules)
    plainMicros = Math.min(plainMicros, plain.cpuMicros)
    hookedMicros = Math.min(hookedMicros, hooked.cpuMicros)
  }
  expect(hookedMicros).toBeLessThan(0.8 * plainMicros)
})
