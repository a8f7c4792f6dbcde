import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { makeTestFolder, removeTestFolder } from '../../db/testing/test-folder.ts'
import { testReport, testShape } from '../testing/report.ts'
import { parseReport, ReportError, readReport } from './report.ts'
import { reportFolder, writeReport } from './write.ts'

let folder: string

beforeAll(async () => {
  folder = await makeTestFolder()
})

afterAll(async () => {
  await removeTestFolder(folder)
})

test('what was written is read again, and a second writing replaces it', async () => {
  const out = join(folder, 'a', 'b')
  const report = testReport([testShape('mini')])
  await writeReport(out, testReport([]))
  await writeReport(out, report)
  expect(await readReport(join(out, 'report.json'))).toEqual(report)
  expect(await readFile(join(out, 'report.html'), 'utf8')).toMatch(/^<!doctype html>[\s\S]*<\/html>\n$/)
})

test.each([
  ['{', /is not a report/],
  ['{"results": []}', /is not a report/],
  ['{"version": 2}', /is a report of version 2, expected 1/],
  ['{"version": 1, "results": "many"}', /is damaged: [\s\S]*results/],
])('%s is refused with a sentence that names the file', async (text, sentence) => {
  const path = join(folder, 'bad.json')
  await writeFile(path, text)
  await expect(readReport(path)).rejects.toThrow(sentence)
  await expect(readReport(path)).rejects.toThrow(path)
  expect(() => parseReport(text, path)).toThrow(ReportError)
})

test('a file that is not there is refused with a sentence', async () => {
  await expect(readReport(join(folder, 'none.json'))).rejects.toThrow(/none\.json cannot be read: ENOENT/)
})

test('a report lies below bench/reports by time and commit', () => {
  const startedAt = '2026-11-21T10:00:05.123Z'
  expect(reportFolder({ startedAt, commit: '0123456789abcdef' })).toMatch(
    /\/bench\/reports\/2026-11-21T10-00-05Z-0123456789$/,
  )
  expect(reportFolder({ startedAt, commit: undefined })).toMatch(/10-00-05Z-no-commit$/)
})
