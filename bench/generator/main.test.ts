import { expect, test } from 'vitest'
import { until } from '../../db/testing/poll.ts'
import { startChild } from '../processes/child.ts'
import { startNullSink } from '../processes/servers.ts'
import { testResources } from '../testing/resources.ts'
import { loadResult } from './result.ts'

test('Ctrl-C ends the sending with a result, though it comes twice: from the terminal and from npm', async () => {
  const resources = testResources()
  const sink = await startNullSink(resources)
  const args = ['load', `--port=${sink.port}`, '--count=1', '--seconds=600']
  const load = startChild({ script: 'bench/main.ts', args }, resources)
  await until('it sends', () => load.stderr.includes('1 connected'))
  // A server that is slow to answer: otherwise it may be over before the second signal.
  process.kill(sink.child.pid, 'SIGSTOP')
  process.kill(load.pid, 'SIGINT')
  await until('it has noticed', () => load.stderr.includes('SIGINT'))
  process.kill(load.pid, 'SIGINT')
  process.kill(sink.child.pid, 'SIGCONT')
  expect(await load.ended).toBe(0)
  const result = loadResult.parse(JSON.parse(load.stdout))
  expect(result.messages).toBeGreaterThan(0)
  expect(result.acknowledgedMessages).toBe(result.messages)
})
