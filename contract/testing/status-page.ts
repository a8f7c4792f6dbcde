import { type Metrics, parseMetrics } from '../../bench/processes/metrics.ts'

/** A service as it shows itself over HTTP, in this process or in one of its own. */
export interface StatusPage {
  get(path: string): Promise<Response>
}

export async function readMetrics(service: StatusPage): Promise<Metrics> {
  return parseMetrics(await (await service.get('/metrics')).text())
}

/** A value by its name; with its labels as they stand on the page, for example `x_total{reason="clock"}`. */
export function sampleOf(metrics: Metrics, name: string): number {
  const value = metrics.get(name)
  if (value === undefined) throw new Error(`/metrics has no ${name}`)
  return value
}

/** The present value of a metric; see `sampleOf`. */
export async function readMetric(service: StatusPage, name: string): Promise<number> {
  return sampleOf(await readMetrics(service), name)
}

/** What `/readyz` says, as in `200 ready\n`. */
export async function readReadyz(service: StatusPage): Promise<string> {
  const response = await service.get('/readyz')
  return `${response.status} ${await response.text()}`
}
