const preloaded = (file: string) => ['--import', new URL(file, import.meta.url).href]

/** Of Node, for a thread of ours. What this process was started with, for example a test runner's loader, is not for it. */
export const THREAD_ARGUMENTS: string[] = [
  ...preloaded('./compile-cache.mjs'),
  ...preloaded('./drizzle-imports.mjs'),
]
