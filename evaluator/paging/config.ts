import { integerSetting } from '../../settings.ts'
import type { PagingLimits } from './types.ts'

/** Settings of paging, from the environment. */
export const pagingSettings = {
  PAGE_LAST_KNOWN_SECONDS: integerSetting({ min: 60, max: 86_400, default: 600, unit: 'seconds' }),
  PAGE_ESCALATION_SECONDS: integerSetting({ min: 60, max: 86_400, default: 900, unit: 'seconds' }),
  PAGE_SINGLES_MAX: integerSetting({ min: 1, max: 10_000, default: 20, unit: 'messages' }),
  PAGE_SINGLES_WINDOW_SECONDS: integerSetting({ min: 1, max: 86_400, default: 600, unit: 'seconds' }),
  PAGE_GROUP_SECONDS: integerSetting({ min: 1, max: 3_600, default: 60, unit: 'seconds' }),
}

export type PagingSettings = Record<keyof typeof pagingSettings, number>

export function pagingLimits(settings: PagingSettings): PagingLimits {
  return {
    lastKnownAfterMs: settings.PAGE_LAST_KNOWN_SECONDS * 1_000,
    escalationMs: settings.PAGE_ESCALATION_SECONDS * 1_000,
    singlesMax: settings.PAGE_SINGLES_MAX,
    singlesWindowMs: settings.PAGE_SINGLES_WINDOW_SECONDS * 1_000,
    groupMs: settings.PAGE_GROUP_SECONDS * 1_000,
  }
}
