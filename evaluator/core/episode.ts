import { isInside, type Machine } from './machine.ts'
import type { Episode, RuleTrack } from './types.ts'

/** How a raised alert of a device ended. */
export interface Ending {
  endedAtMs: number
  resolution: 'recovered' | 'rule_changed'
}

/** What a raised machine has found; without an ending it still runs. */
export function episodeOf(
  machine: Machine,
  { deviceId, track }: { deviceId: number; track: RuleTrack },
  ending: Ending | null,
): Episode {
  return {
    deviceId,
    ruleId: track.ruleId,
    conditionType: track.conditionType,
    ruleVersion: machine.version,
    severity: machine.severity,
    startedAtMs: machine.startedAtMs,
    triggeredAtMs: machine.triggeredAtMs,
    endedAtMs: ending?.endedAtMs ?? null,
    resolution: ending?.resolution ?? null,
    triggerCenti: machine.triggerCenti,
    limitCenti: machine.limitCenti,
    peakCenti: machine.peakCenti,
    confirmedMs: machine.confirmedMs,
    unknownMs: machine.unknownMs,
    newestIsGood: isInside(machine),
  }
}
