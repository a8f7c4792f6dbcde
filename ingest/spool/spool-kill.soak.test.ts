import { randomInt } from 'node:crypto'
import { test } from 'vitest'
import { expectNothingLost } from './testing/kills.ts'

/** SPOOL_SEED repeats a run. */
const seed = Number(process.env['SPOOL_SEED'] ?? randomInt(2 ** 31))
const KILLS = 40

test(`what was appended is there after ${KILLS} kills -9 at random moments, whole and in order (seed ${seed})`, () =>
  expectNothingLost({ kills: KILLS, seed }))
