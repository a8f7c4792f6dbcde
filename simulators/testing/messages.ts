import type { Message, SentDoor, SentReading } from '../hub/message.ts'

export const DEVICES = ['24e1240000000001', '24e1240000000002', '24e1240000000003'] as const
/** 2026-11-20 */
export const START_MS = Date.UTC(2026, 10, 20)

export function reading(at: number, values: Partial<SentReading> = {}): SentReading {
  return { device: DEVICES[0], at, temperature: 4, ...values }
}

export function door(at: number, state: SentDoor['state'] = 'open'): SentDoor {
  return { device: DEVICES[1], at, state }
}

export function message(parts: Partial<Message> = {}): Message {
  return {
    topic: 'v1/hubs/hub-1/readings',
    payload: Buffer.from('{}'),
    readings: [],
    doors: [],
    rejects: [],
    entry: undefined,
    isRepeat: false,
    ...parts,
  }
}
