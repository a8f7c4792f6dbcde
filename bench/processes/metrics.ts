/** What a page of Prometheus metrics says: values by name, with the labels as they stand there. */
export type Metrics = ReadonlyMap<string, number>

/** Reads the page of a running service. */
export async function readMetrics(url: string): Promise<Metrics> {
  const response = await fetch(url)
  if (!response.ok) throw new Error(`${url} answered ${response.status}, expected a page of metrics.`)
  return parseMetrics(await response.text())
}

export function parseMetrics(page: string): Metrics {
  const lines = page.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  return new Map(
    lines.map((line) => {
      const end = line.lastIndexOf(' ')
      return [line.slice(0, end), Number(line.slice(end + 1))]
    }),
  )
}
