import { describe, expect, test } from 'vitest'
import { deviceOf, seconds, trackOf, versionOf } from '../testing/words.ts'
import { type DeadHub, hubSilence } from './hub-silence.ts'
import { allPauses, type Pause } from './pauses.ts'
import { type Listening, newHearing, silence } from './silence.ts'
import type { RuleTrack } from './types.ts'

const RULE = trackOf({ type: 'no_data', missed: 5 })
const OTHER_RULE: RuleTrack = { ...trackOf({ type: 'no_data', missed: 2 }), ruleId: 2 }

describe('a dead hub', () => {
  test('has one alert, under the rule of the first of its devices that is due', () => {
    const hub = hubOf([pause(1000, null)], [device(1, 900), device(2, 950), device(3, 980, [OTHER_RULE])])
    expect(hubSilence(hub, seconds(1609.999))).toBe(null)
    expect(hubSilence(hub, seconds(1610))).toMatchObject({
      unitId: null,
      hubId: 7,
      deviceId: null,
      ruleId: 2,
      ruleVersion: 1,
      alertType: 'monitoring_interrupted',
      startedAtMs: seconds(980),
      triggeredAtMs: seconds(1610),
      endedAtMs: null,
    })
  })

  test('keeps its alert under the same rule, whatever becomes due later', () => {
    const hub = hubOf([pause(1000, null)], [device(1, 900), device(3, 980, [OTHER_RULE])])
    const running = hubSilence(hub, seconds(1610))
    expect(running).not.toBe(null)
    expect(hubSilence({ ...hub, running }, seconds(9000))).toEqual(running)
  })

  test('suppresses the silence of its devices while it is down, and after that counts what was before', () => {
    const { hearing, listening } = device(1, 900)
    const paused = (outage: Pause): Listening => ({ ...listening, pauses: allPauses([], [outage]) })
    expect(silence(hearing, paused(pause(1000, null)), seconds(90_000)).episodes).toEqual([])
    const back = paused(pause(1000, 5000))
    expect(silence(hearing, back, seconds(5000 + 1429)).episodes).toEqual([])
    expect(silence(hearing, back, seconds(5000 + 1430)).episodes).toHaveLength(1)
  })

  test('that is back has recovered, not before it was raised', () => {
    const hub = hubOf([pause(1000, null)], [device(1, 900)])
    const running = hubSilence(hub, seconds(2430))
    expect(hubSilence({ ...hub, running, outages: [pause(1000, 5000)] }, seconds(5001))).toEqual({
      ...running,
      endedAtMs: seconds(5000),
      resolution: 'recovered',
    })
    expect(hubSilence({ ...hub, running, outages: [pause(1000, 2000)] }, seconds(5001))).toMatchObject({
      endedAtMs: seconds(2430),
    })
  })

  test('that came back before the first of its devices was due has none', () => {
    expect(hubSilence(hubOf([pause(1000, 2429)], [device(1, 900)]), seconds(9000))).toBe(null)
  })

  test('whose alert was missed between two ticks has one all the same', () => {
    expect(hubSilence(hubOf([pause(1000, 2431)], [device(1, 900)]), seconds(2435))).toMatchObject({
      triggeredAtMs: seconds(2430),
      endedAtMs: seconds(2431),
      resolution: 'recovered',
    })
  })

  test('leaves a device that was silent before to its own alert', () => {
    const hub = hubOf([pause(10_000, null)], [device(1, 900), device(2, 9950)])
    expect(hubSilence(hub, seconds(11_479))).toBe(null)
    expect(hubSilence(hub, seconds(11_480))).toMatchObject({ startedAtMs: seconds(9950) })
  })

  test('that comes and goes before its devices speak has an alert each time', () => {
    const devices = [device(1, 900)]
    expect(hubSilence(hubOf([pause(1000, 5000)], devices), seconds(5000))).toMatchObject({
      triggeredAtMs: seconds(2430),
      endedAtMs: seconds(5000),
    })
    const again = hubOf([pause(1000, 5000), pause(5001, null)], devices)
    expect(hubSilence(again, seconds(6429))).toBe(null)
    expect(hubSilence(again, seconds(6430))).toMatchObject({ triggeredAtMs: seconds(6430), endedAtMs: null })
  })

  test('is not due by our own downtime', () => {
    const hub = { ...hubOf([pause(1000, null)], [device(1, 900)]), downtimes: [pause(1200, 2080)] }
    expect(hubSilence(hub, seconds(3429))).toBe(null)
    expect(hubSilence(hub, seconds(3430))).toMatchObject({ triggeredAtMs: seconds(3430) })
  })

  test('ends rule_changed with the rule that raised it', () => {
    const ending = trackOf({ type: 'no_data', missed: 5 }, [
      versionOf({ type: 'no_data', missed: 5 }, { toMs: seconds(3000) }),
    ])
    const hub = hubOf([pause(1000, null)], [device(1, 900, [ending])])
    const ended = { triggeredAtMs: seconds(2430), endedAtMs: seconds(3000), resolution: 'rule_changed' }
    expect(hubSilence(hub, seconds(3001))).toMatchObject(ended)
    const running = hubSilence(hubOf([pause(1000, null)], [device(1, 900)]), seconds(2430))
    expect(hubSilence({ ...hub, running }, seconds(3001))).toMatchObject(ended)
    expect(hubSilence({ ...hub, running, devices: [] }, seconds(4000))).toMatchObject({
      endedAtMs: seconds(4000),
      resolution: 'rule_changed',
    })
  })

  test('whose rule ended has another alert under the next rule that is due', () => {
    const ended = trackOf({ type: 'no_data', missed: 2 }, [
      versionOf({ type: 'no_data', missed: 2 }, { toMs: seconds(2000) }),
    ])
    const hub = hubOf([pause(1000, null)], [device(1, 900, [{ ...ended, ruleId: 2 }]), device(2, 900)])
    expect(hubSilence(hub, seconds(2001))).toMatchObject({ ruleId: 2, endedAtMs: seconds(2000) })
    expect(hubSilence(hub, seconds(2430))).toMatchObject({ ruleId: 1, endedAtMs: null })
  })

  test('without devices of temperature, or without a rule for silence, has none', () => {
    const doors = device(1, 900)
    const doorsOnly = {
      ...doors,
      listening: { ...doors.listening, device: deviceOf({ hasTemperature: false }) },
    }
    expect(hubSilence(hubOf([pause(1000, null)], [doorsOnly, device(2, 900, [])]), seconds(1e6))).toBe(null)
    expect(hubSilence(hubOf([], [device(1, 900)]), seconds(1e6))).toBe(null)
  })
})

function hubOf(outages: readonly Pause[], devices: DeadHub['devices']): DeadHub {
  return { hubId: 7, outages, downtimes: [], devices, running: null }
}

function device(deviceId: number, newest: number, tracks: readonly RuleTrack[] = [RULE]) {
  const hearing = { ...newHearing(), newestAtMs: seconds(newest), heardAtMs: seconds(newest) }
  return { hearing, listening: { device: deviceOf({ deviceId }), tracks } }
}

function pause(from: number, to: number | null): Pause {
  return { fromMs: seconds(from), toMs: to === null ? null : seconds(to) }
}
