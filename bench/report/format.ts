import { type Figure, isReached, type Unit } from './figures.ts'

const DIGITS: Record<Unit, number> = {
  'readings/s': 0,
  'messages/s': 0,
  share: 3,
  cores: 2,
  s: 2,
  ms: 1,
  bytes: 1,
  MB: 0,
  rows: 0,
  devices: 0,
}

/** A value with as many digits as its unit deserves, without the unit. */
export function formatted(value: number, unit: Unit): string {
  const digits = DIGITS[unit]
  return value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits })
}

/** What the target of a figure asks; empty where it has none. */
export function targetText({ target, unit }: Figure): string {
  if (!target) return ''
  return 'atLeast' in target
    ? `at least ${formatted(target.atLeast, unit)}`
    : `at most ${formatted(target.atMost, unit)}`
}

/** The same with whether its median reaches it. */
export function targetVerdict(figure: Figure): string {
  if (!figure.target) return ''
  return `${targetText(figure)}: ${isReached(figure) ? 'reached' : 'NOT REACHED'}`
}

/** A relative change with its sign: "+12.3 %". */
export function changeText(change: number): string {
  if (!Number.isFinite(change)) return 'from zero'
  return change.toLocaleString('en-US', {
    style: 'percent',
    signDisplay: 'exceptZero',
    minimumFractionDigits: 1,
    maximumFractionDigits: 1,
  })
}
