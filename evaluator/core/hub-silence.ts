import { allPauses, type Pause } from './pauses.ts'
import { ruleEndMs } from './raised.ts'
import { type Hearing, type Listening, silentSpans } from './silence.ts'
import type { AlertFacts, RuleTrack } from './types.ts'

/** A hub that is away, and the devices that speak through it. */
export interface DeadHub {
  hubId: number
  outage: Pause
  downtimes: readonly Pause[]
  devices: readonly { hearing: Hearing; listening: Pick<Listening, 'device' | 'tracks'> }[]
  /** Its alert, if it has one that runs. */
  running: AlertFacts | null
}

interface Candidate {
  track: RuleTrack
  deviceId: number
  facts: AlertFacts
}

/**
 * The alert of a hub that is away: one, under the rule of the first of its devices that its outage makes due. To be asked when
 * the hub is back too, before anything that it then sends is heard. A device that was silent before has its own alert.
 */
export function hubSilence(hub: DeadHub, nowMs: number): AlertFacts | null {
  const facts = hub.running ?? firstDue(hub, nowMs)
  if (facts === null) return null
  const track = hub.devices
    .flatMap(({ listening }) => listening.tracks)
    .find(({ ruleId }) => ruleId === facts.ruleId)
  const ruleEnds = track === undefined ? nowMs : ruleEndMs(track, facts.triggeredAtMs)
  const hubIsBack = hub.outage.toMs ?? Infinity
  if (Math.min(ruleEnds, hubIsBack) === Infinity) return { ...facts, endedAtMs: null, resolution: null }
  const isBack = hubIsBack <= ruleEnds
  return {
    ...facts,
    endedAtMs: Math.max(facts.triggeredAtMs, Math.min(ruleEnds, hubIsBack)),
    resolution: isBack ? 'recovered' : 'rule_changed',
  }
}

function firstDue(hub: DeadHub, nowMs: number): AlertFacts | null {
  const judgedToMs = Math.min(nowMs, hub.outage.toMs ?? Infinity)
  const candidates = hub.devices.flatMap((device) => dueBy(device, hub, judgedToMs))
  return candidates.sort(inOrder)[0]?.facts ?? null
}

function dueBy(
  { hearing, listening }: DeadHub['devices'][number],
  hub: DeadHub,
  judgedToMs: number,
): Candidate[] {
  const { newestAtMs } = hearing
  const { device } = listening
  if (!device.hasTemperature || newestAtMs === null) return []
  const pauses = allPauses(hub.downtimes, [])
  return listening.tracks.flatMap((track) =>
    silentSpans(newestAtMs, track, { ...listening, pauses }, judgedToMs)
      .filter(({ triggeredAtMs }) => triggeredAtMs > hub.outage.fromMs)
      .map((span) => ({
        track,
        deviceId: device.deviceId,
        facts: {
          unitId: null,
          hubId: hub.hubId,
          deviceId: null,
          ruleId: track.ruleId,
          ruleVersion: span.version.version,
          conditionType: track.conditionType,
          alertType: track.alertType,
          severity: span.version.severity,
          startedAtMs: span.startedAtMs,
          triggeredAtMs: span.triggeredAtMs,
          endedAtMs: null,
          resolution: null,
          triggerCenti: null,
          limitCenti: null,
          peakCenti: null,
          confirmedMs: 0,
          unknownMs: 0,
        },
      })),
  )
}

/** The first one due; the rest only makes the choice one and the same every time. */
function inOrder(a: Candidate, b: Candidate): number {
  return (
    a.facts.triggeredAtMs - b.facts.triggeredAtMs ||
    a.deviceId - b.deviceId ||
    (a.track.ruleId ?? 0) - (b.track.ruleId ?? 0)
  )
}
