// Loaded before every command, in each of its threads: what Node makes of our TypeScript is kept in node_modules/.cache. From the
// second start on nothing is left to strip, and Node does not load what strips it: some 40 MB, and a part of the time of a start.
import * as nodeModule from 'node:module'
import { fileURLToPath } from 'node:url'

/** By then a service has loaded all it needs. Commands that end sooner keep theirs when they end. */
const LOADED_MS = 10_000

// Not in the temporary folder: what lies there is executed, and others may write to it. Where this folder cannot be written
// it is only read (the Dockerfile fills it), and where it is not there either, or Node is too old, all works as without.
const folder = fileURLToPath(new URL('./node_modules/.cache/node', import.meta.url))
const { directory } = nodeModule.enableCompileCache?.(folder) ?? {}
// A service that is killed would keep nothing.
if (directory) setTimeout(nodeModule.flushCompileCache, LOADED_MS).unref()
