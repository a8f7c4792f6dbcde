import { expect, test } from 'vitest'
import { alarmReadings, WARM_CELSIUS } from './alarm-hub.ts'
import { problemsOf } from './alarms.ts'

test('each device is too warm once, then well twice, before its turn comes again', () => {
  const lastTick = 230
  const said = new Map<string, string[]>()
  for (let tick = 0; tick <= lastTick + 40; tick += 1) {
    for (const { device, temperature } of alarmReadings(tick, tick, lastTick)) {
      said.set(device, [...(said.get(device) ?? []), temperature === WARM_CELSIUS ? 'warm' : 'well'])
    }
  }
  const once = ['warm', 'well', 'well']
  expect(said.size).toBe(100)
  for (const [index, readings] of [...said.values()].entries()) {
    expect(readings).toEqual([...once, ...once, ...(index <= 30 ? once : [])])
  }
  expect(alarmReadings(lastTick + 41, 0, lastTick)).toEqual([])
})

test('a run does not count when an alert is missing, there twice, of something else, or open', () => {
  const alert = (startedAtMs: number, status = 'resolved') => ({ startedAtMs, status })
  expect(problemsOf([alert(1), alert(2)], [1, 2])).toEqual([])
  expect(problemsOf([alert(1)], [1, 2])).toEqual([
    'alerts: 1, expected 2',
    'readings that raised an alert: 1, expected 2',
  ])
  expect(problemsOf([alert(1), alert(2), alert(2)], [1, 2])).toEqual(['alerts: 3, expected 2'])
  expect(problemsOf([alert(1), alert(3)], [1, 2])).toEqual(['readings that raised an alert: 1, expected 2'])
  expect(problemsOf([alert(1), alert(2, 'active')], [1, 2])).toEqual(['alerts resolved: 1, expected 2'])
})
