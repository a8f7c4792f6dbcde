import { allPauses, type Pause } from './pauses.ts'
import { type RaisedSpan, ruleEndMs, spanFacts } from './raised.ts'
import { type Hearing, type Listening, silentSpans } from './silence.ts'
import type { AlertFacts, RuleTrack } from './types.ts'

/** A hub that is away, and the devices that speak through it. */
export interface DeadHub {
  hubId: number
  /** In order; the last one is judged. */
  outages: readonly Pause[]
  /** Our own. */
  downtimes: readonly Pause[]
  devices: readonly { hearing: Hearing; listening: Pick<Listening, 'device' | 'tracks'> }[]
  /** Its alert, if it has one that runs. */
  running: AlertFacts | null
}

interface Candidate extends RaisedSpan {
  track: RuleTrack
  deviceId: number
}

/**
 * The alert of a hub that is away: one, under the rule of the first of its devices that its outage makes due. To be asked when
 * the hub is back too, before anything that it then sends is heard. A device that was silent before has its own alert.
 */
export function hubSilence(hub: DeadHub, nowMs: number): AlertFacts | null {
  const outage = hub.outages.at(-1)
  if (outage === undefined) return null
  const facts = hub.running ?? firstDue(hub, outage, nowMs)
  if (facts === null) return null
  const track = hub.devices
    .flatMap(({ listening }) => listening.tracks)
    .find(({ ruleId }) => ruleId === facts.ruleId)
  const ruleEnds = track === undefined ? nowMs : ruleEndMs(track, facts.triggeredAtMs)
  const hubIsBack = outage.toMs ?? Infinity
  if (Math.min(ruleEnds, hubIsBack) === Infinity) return { ...facts, endedAtMs: null, resolution: null }
  const isBack = hubIsBack <= ruleEnds
  return {
    ...facts,
    endedAtMs: Math.max(facts.triggeredAtMs, Math.min(ruleEnds, hubIsBack)),
    resolution: isBack ? 'recovered' : 'rule_changed',
  }
}

function firstDue(hub: DeadHub, outage: Pause, nowMs: number): AlertFacts | null {
  const judgedToMs = Math.min(nowMs, outage.toMs ?? Infinity)
  // Earlier outages are not held against its devices, or one that was due in them would hide this one.
  const pauses = allPauses(hub.downtimes, hub.outages.slice(0, -1))
  const candidates = hub.devices
    .flatMap(({ hearing, listening }) => dueBy(hearing, { ...listening, pauses }, judgedToMs))
    .filter(({ triggeredAtMs }) => triggeredAtMs > outage.fromMs)
  const first = candidates.sort(inOrder)[0]
  return first === undefined ? null : spanFacts(first.track, { unitId: null, hubId: hub.hubId }, first)
}

function dueBy(hearing: Hearing, listening: Listening, judgedToMs: number): Candidate[] {
  const { newestAtMs } = hearing
  const { device, tracks } = listening
  if (!device.hasTemperature || newestAtMs === null) return []
  return tracks.flatMap((track) =>
    silentSpans(newestAtMs, track, listening, judgedToMs).map((span) => ({
      ...span,
      track,
      deviceId: device.deviceId,
    })),
  )
}

/** The first one due whose rule still holds; the rest only makes the choice one and the same every time. */
function inOrder(a: Candidate, b: Candidate): number {
  return (
    Number(a.endedAtMs !== null) - Number(b.endedAtMs !== null) ||
    a.triggeredAtMs - b.triggeredAtMs ||
    a.deviceId - b.deviceId ||
    (a.track.ruleId ?? 0) - (b.track.ruleId ?? 0)
  )
}
