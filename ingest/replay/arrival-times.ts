/**
 * Times for items that came without one: the first millisecond from their arrival on at which their device has nothing
 * yet. (Ingest, which sees messages in order, gives the one after the newest; here old ones come in any order.)
 */
export class ArrivalTimes {
  readonly #taken = new Map<number, Set<number>>()

  /** Something of the device has this time, epoch milliseconds. */
  occupy(deviceId: number, atMs: number): void {
    this.#of(deviceId).add(atMs)
  }

  /** A free time, which is free no longer. */
  take(deviceId: number, fromMs: number): number {
    const taken = this.#of(deviceId)
    let atMs = fromMs
    while (taken.has(atMs)) atMs += 1
    taken.add(atMs)
    return atMs
  }

  #of(deviceId: number): Set<number> {
    const taken = this.#taken.get(deviceId) ?? new Set<number>()
    this.#taken.set(deviceId, taken)
    return taken
  }
}
