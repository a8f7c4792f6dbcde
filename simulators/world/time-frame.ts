/** How the clock (epoch ms) and the time of the physics (seconds since the start) belong together. */
export interface TimeFrame {
  startMs: number
  /** Seconds of physics in a second of the clock. */
  speed: number
}

const DAY_HOURS = 24

export function physicsSecond({ startMs, speed }: TimeFrame, clockMs: number): number {
  return ((clockMs - startMs) * speed) / 1_000
}

export function clockMs({ startMs, speed }: TimeFrame, second: number): number {
  return startMs + (second * 1_000) / speed
}

/** Hour of the day (UTC, 0 to 24, with fraction) in the physics, which begin at the clock's time of day. */
export function hourOfDay({ startMs }: TimeFrame, second: number): number {
  return (startMs / 3_600_000 + second / 3_600) % DAY_HOURS
}
