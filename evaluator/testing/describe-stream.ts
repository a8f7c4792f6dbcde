import type { AlertFacts, Input } from '../core/types.ts'
import { type Difference, firstDifference, type Stream } from './order-independence.ts'
import { STREAM_FROM_MS } from './random-unit.ts'

/** What a person needs to see why a stream differs. Times in seconds from the beginning of the stream. */
export function describeDifference(stream: Stream): string {
  const difference = firstDifference(stream, () => true)
  if (!difference) return 'no difference'
  const { tracks, devices } = stream.unit
  const writer = (_key: string, value: unknown) =>
    typeof value === 'number' && !Number.isFinite(value) ? String(value) : atSeconds(value)
  return [
    `rules: ${tracks.map((track) => JSON.stringify(track.versions, writer)).join('\n       ')}`,
    `devices: ${devices.map(({ deviceId, intervalMs }) => `${deviceId} ${JSON.stringify(intervalMs, writer)}`).join(', ')}`,
    ...stream.inputs.slice(0, difference.afterInputs).map(line),
    `expected: ${lines(difference, 'expected')}`,
    `found:    ${lines(difference, 'found')}`,
  ].join('\n')
}

function lines(difference: Difference, side: 'expected' | 'found'): string {
  const other = new Set(
    difference[side === 'found' ? 'expected' : 'found'].map((facts) => JSON.stringify(facts)),
  )
  const own = difference[side].filter((facts: AlertFacts) => !other.has(JSON.stringify(facts)))
  return own.map((facts) => JSON.stringify(facts, (_key, value) => atSeconds(value))).join('\n          ')
}

function line(input: Input): string {
  const { deviceId, atMs, recordedAtMs, receivedAtMs } = input
  const times = [atMs, recordedAtMs, receivedAtMs].map((time) => atSeconds(time)).join('/')
  return input.kind === 'door'
    ? `${deviceId} door ${input.isOpen ? 'open' : 'closed'} ${times}`
    : `${deviceId} ${input.temperatureCenti} battery ${input.battery} fault ${input.fault} ${times}`
}

function atSeconds(value: unknown): unknown {
  if (typeof value !== 'number' || value < STREAM_FROM_MS / 2) return value
  return `${(value - STREAM_FROM_MS) / 1000} s`
}
