import { cpSync, globSync, mkdirSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { z } from 'zod'
import { ROOT, readProjectFile } from './project.ts'

export interface Instruction {
  name: string
  /** What follows it, on one line. */
  value: string
}

/** The instructions of a Dockerfile, without comments. */
export function readDockerfile(path: string): Instruction[] {
  return readProjectFile(path)
    .replaceAll(/^#.*\n/gm, '')
    .replaceAll(/\\\n\s*/g, '')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [name = '', ...rest] = line.split(' ')
      return { name, value: rest.join(' ') }
    })
}

/** The instructions of the last stage, which is what the image consists of. */
export function lastStage(instructions: readonly Instruction[]): Instruction[] {
  return instructions.slice(instructions.findLastIndex(({ name }) => name === 'FROM'))
}

/** The value of the only instruction of this name. */
export function soleValue(instructions: readonly Instruction[], name: string): string {
  const [only, ...more] = instructions.filter((instruction) => instruction.name === name)
  if (!only || more.length > 0) throw new Error(`Expected one ${name}`)
  return only.value
}

const ignoreRules = readProjectFile('.dockerignore')
  .split('\n')
  .filter((line) => line !== '' && !line.startsWith('#'))
  .map((line) => ({ keeps: line.startsWith('!'), pattern: patternOf(line.replace(/^!/, '')) }))

/** As Docker reads a pattern, unlike Node's globs: a star also matches a dot at the beginning. */
function patternOf(glob: string): RegExp {
  const escaped = glob.replaceAll(/[.+^${}()|[\]\\]/g, '\\$&')
  return new RegExp(`^${escaped.replaceAll('**/', '(?:.+/)?').replaceAll(/\*/g, '[^/]*')}$`)
}

/** Whether .dockerignore keeps a file out: the last rule decides that matches it or a folder above it. */
export function isIgnored(path: string): boolean {
  const parts = path.split('/')
  const paths = parts.map((_, index) => parts.slice(0, index + 1).join('/'))
  const last = ignoreRules.findLast(({ pattern }) => paths.some((each) => pattern.test(each)))
  return last !== undefined && !last.keeps
}

/** The files that the source of a COPY stands for: a file, a folder or a pattern. */
function filesOf(source: string): string[] {
  return globSync([source, `${source}/**`], { cwd: ROOT, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(ROOT.length))
    .filter((file) => !isIgnored(file))
}

/** Copies into a folder what the COPY instructions of the last stage take from the checkout. Returns the files. */
export function copyImageFiles(instructions: readonly Instruction[], folder: string): string[] {
  const copied: string[] = []
  for (const { name, value } of lastStage(instructions)) {
    if (name !== 'COPY' || value.includes('--from=')) continue
    const [target = '', ...sources] = value
      .split(' ')
      .filter((word) => !word.startsWith('--'))
      .reverse()
    for (const source of sources) {
      const files = filesOf(source)
      if (files.length === 0)
        throw new Error(`COPY ${source}: there is nothing that .dockerignore lets through`)
      for (const file of files) {
        // A folder is copied as its content, a file by its name.
        const path = join(
          target,
          file.startsWith(`${source}/`) ? file.slice(source.length + 1) : basename(file),
        )
        mkdirSync(dirname(join(folder, path)), { recursive: true })
        cpSync(join(ROOT, file), join(folder, path))
        copied.push(path)
      }
    }
  }
  return copied
}

const lockSchema = z.object({
  packages: z.record(
    z.string(),
    z.object({
      dev: z.boolean().optional(),
      optional: z.boolean().optional(),
      devOptional: z.boolean().optional(),
      hasInstallScript: z.boolean().optional(),
    }),
  ),
})

/** What `npm ci --omit=dev --omit=optional` installs: path below the root → whether it has an install script. */
export function productionPackages(): Map<string, boolean> {
  const { packages } = lockSchema.parse(JSON.parse(readProjectFile('package-lock.json')))
  return new Map(
    Object.entries(packages)
      .filter(([path, entry]) => path !== '' && !entry.dev && !entry.optional && !entry.devOptional)
      .map(([path, entry]) => [path, entry.hasInstallScript ?? false]),
  )
}

/**
 * Copies the packages of production into a folder (a link would lead Node to the packages beside its target), but not
 * "node", whose program the install script would fetch.
 */
export function copyProductionPackages(folder: string): void {
  for (const path of productionPackages().keys()) {
    const isNested = path.lastIndexOf('node_modules/') > 0
    if (isNested || path === 'node_modules/node') continue
    cpSync(join(ROOT, path), join(folder, path), { recursive: true })
  }
}
