import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { withDatabase } from './with-database.ts'

/** `npm run db:studio`: drizzle-kit's browser for the database, until Ctrl-C. The schema stays as it is. */
await withDatabase(
  async ({ directUrl }) => {
    const require = createRequire(import.meta.url)
    const program = join(dirname(require.resolve('drizzle-kit')), 'bin.cjs')
    const studio = spawn(process.execPath, [program, 'studio', ...process.argv.slice(2)], {
      stdio: 'inherit',
      env: { ...process.env, DATABASE_URL: directUrl },
    })
    // Where only this process is signalled, not the terminal's whole group.
    process.once('exit', () => studio.kill())
    const [code] = await once(studio, 'exit')
    if (code)
      throw new Error(`drizzle-kit studio ended with exit code ${code}; what it wrote above says why.`)
  },
  { migrate: false },
)
