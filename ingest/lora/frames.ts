/** One uplink of a sensor, as far as its frame counter goes. */
export interface Frame {
  fCnt: number
  /** The session's address; null when the message does not say. */
  devAddr: string | null
  atMs: number
}

/** What was heard of one sensor since it was last written down. */
export interface FrameWindow {
  first: Frame
  last: Frame
  /** Frames between the first and the last that were never heard. */
  gaps: number
  /** How often the counter began anew between them without a join. */
  resets: number
}

/** A frame more. One that is not newer than the last is late or comes again: it says nothing about the counter. */
export function addFrame(window: FrameWindow | undefined, frame: Frame): FrameWindow {
  if (!window) return { first: frame, last: frame, gaps: 0, resets: 0 }
  const { first, last, gaps, resets } = window
  if (frame.atMs <= last.atMs) return window
  const isSameSession = last.devAddr === frame.devAddr
  // The same frame at another time is sent again by its sensor, for want of an answer.
  const step = isSameSession ? frame.fCnt - last.fCnt : 0
  return {
    first,
    last: frame,
    gaps: gaps + Math.max(step - 1, 0),
    resets: resets + Number(step < 0),
  }
}
