export interface CoalesceOptions {
  /** Keys in one load at most. */
  keysMax: number
}

/**
 * Groups look-ups by key: while one load is under way, the keys asked for meanwhile wait and become the next load.
 * So at most one query runs at a time, however many clients ask, and every answer is fresh.
 */
export function coalesce<K, V>(
  load: (keys: K[]) => Promise<Map<K, V>>,
  { keysMax }: CoalesceOptions,
): (key: K) => Promise<V | undefined> {
  const waiting = new Map<K, PromiseWithResolvers<V | undefined>>()
  let loading = false

  async function run(): Promise<void> {
    loading = true
    while (waiting.size > 0) {
      const batch = new Map(waiting.entries().take(keysMax))
      for (const key of batch.keys()) waiting.delete(key)
      try {
        const found = await load([...batch.keys()])
        for (const [key, answer] of batch) answer.resolve(found.get(key))
      } catch (error) {
        for (const answer of batch.values()) answer.reject(error)
      }
    }
    loading = false
  }

  return (key) => {
    const answer = waiting.get(key) ?? Promise.withResolvers<V | undefined>()
    waiting.set(key, answer)
    if (!loading) queueMicrotask(() => void (loading || run()))
    return answer.promise
  }
}
