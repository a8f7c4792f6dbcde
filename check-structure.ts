// Part of `npm run check`: imports run in one direction, without cycles, and no file grows past what one can read.
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'

/** Root files that stand on nothing of ours: every folder may import them. */
const COMMON: readonly string[] = ['settings.ts', 'end-signals.ts', 'thread-arguments.ts']

/** What each folder may import beside itself and `COMMON` (a folder, or one file of it). */
const ALLOWED: Record<string, readonly string[]> = {
  db: [],
  broker: [],
  ingest: ['db', 'broker/types.ts'],
  evaluator: ['db', 'ingest'],
  console: ['evaluator', 'ingest', 'db'],
  service: ['db', 'broker', 'ingest', 'evaluator', 'console'],
  simulators: ['ingest/payloads.ts'],
  commands: ['service', 'db', 'broker/topics.ts', 'ingest', 'evaluator', 'simulators'],
  bench: ['db', 'broker', 'ingest', 'evaluator', 'console', 'service/heap-flags.ts', 'simulators'],
}
const SOURCE_LINES_MAX = 300
const TEST_LINES_MAX = 600

const IMPORT = /^(?:import|export)\b[^'"]*?from\s*['"](\.[^'"]+)['"]|\bimport\(\s*['"](\.[^'"]+)['"]\s*\)/gm

const files = execFileSync('git', ['ls-files', '-co', '--exclude-standard', '--', '*.ts'], {
  encoding: 'utf8',
})
  .split('\n')
  .filter((file) => existsSync(file) && !file.startsWith('drizzle/'))
const sources = new Map(files.map((file) => [file, readFileSync(file, 'utf8')]))
const imports = new Map([...sources].map(([file, text]) => [file, importsOf(file, text)]))

const problems = [
  ...[...sources].flatMap(([file, text]) => lengthProblem(file, text)),
  ...[...imports].flatMap(([file, targets]) => targets.flatMap((target) => directionProblem(file, target))),
  ...cycles(),
]
for (const problem of problems) console.error(problem)
console.log(`structure: ${files.length} files, ${problems.length} problems`)
process.exitCode = problems.length > 0 ? 1 : 0

function importsOf(file: string, text: string): string[] {
  return [...text.matchAll(IMPORT)].map((match) => normalize(join(dirname(file), match[1] ?? match[2] ?? '')))
}

function lengthProblem(file: string, text: string): string[] {
  const lines = text.split('\n').length - 1
  const max = file.endsWith('.test.ts') ? TEST_LINES_MAX : SOURCE_LINES_MAX
  return lines > max ? [`${file}: ${lines} lines, at most ${max}: split it by job`] : []
}

function directionProblem(file: string, target: string): string[] {
  const from = folderOf(file)
  const to = folderOf(target)
  const allowed = from === undefined ? undefined : ALLOWED[from]
  if (allowed === undefined || from === to || COMMON.includes(target)) return []
  // Tests may set up what their subject is handed in production.
  if (isTestCode(file)) return []
  if (allowed.some((prefix) => target === prefix || target.startsWith(`${prefix}/`))) return []
  return [
    `${file}: must not import ${target} (${from} may import ${allowed.join(', ') || 'nothing'} of ours)`,
  ]
}

function isTestCode(file: string): boolean {
  return file.endsWith('.test.ts') || file.includes('/testing/')
}

function folderOf(file: string): string | undefined {
  return file.includes('/') ? file.slice(0, file.indexOf('/')) : undefined
}

function cycles(): string[] {
  const done = new Set<string>()
  const found: string[] = []
  const visit = (file: string, path: readonly string[]): void => {
    const start = path.indexOf(file)
    if (start >= 0) found.push(`import cycle: ${[...path.slice(start), file].join(' -> ')}`)
    if (start >= 0 || done.has(file)) return
    for (const target of imports.get(file) ?? []) visit(target, [...path, file])
    done.add(file)
  }
  for (const file of files) visit(file, [])
  return found
}
