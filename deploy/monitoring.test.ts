/** What Prometheus and Grafana are told about, against the real /metrics. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { z } from 'zod'
import { runProgram } from '../contract/testing/clients.ts'
import { hasProgram } from '../contract/testing/programs.ts'
import { startTestService, type TestService } from '../contract/testing/service.ts'
import { readEvaluatorSettings } from '../service/evaluator-service.ts'
import { serviceOf } from './testing/compose.ts'
import { ROOT, readProjectFile } from './testing/project.ts'

const rulesSchema = z.object({
  groups: z.array(z.object({ rules: z.array(z.object({ alert: z.string(), expr: z.string() })) })),
})
const dashboardSchema = z.object({
  panels: z.array(
    z.object({
      title: z.string(),
      datasource: z.object({ uid: z.string() }),
      targets: z.array(z.object({ expr: z.string() })),
    }),
  ),
})

const rules = rulesSchema
  .parse(parse(readProjectFile('deploy/prometheus/alerts.yml')))
  .groups.flatMap((group) => group.rules)
const dashboard = dashboardSchema.parse(
  JSON.parse(readProjectFile('deploy/grafana/dashboards/frostguard.json')),
)

/** Name and use of each expression. */
const expressions: [string, string][] = [
  ...rules.map(({ alert, expr }): [string, string] => [`alert ${alert}`, expr]),
  ...dashboard.panels.flatMap(({ title, targets }) =>
    targets.map(({ expr }): [string, string] => [`panel "${title}": ${expr}`, expr]),
  ),
]

/** Labels that Prometheus adds to every sample. */
const SCRAPE_LABELS = ['job', 'instance']

/** The metrics of an expression, with the labels that it selects by. */
function metricsOf(expression: string): { name: string; labels: string[] }[] {
  return [...expression.matchAll(/\b((?:frostguard|nodejs|process)_\w+|up)\b(?:\{([^}]*)\})?/g)].map(
    (match) => ({
      name: match[1] ?? '',
      labels: [...(match[2] ?? '').matchAll(/(\w+)\s*(?:=~|!~|!=|=)/g)].map(([, label]) => label ?? ''),
    }),
  )
}

let service: TestService
/** The labels of the samples of each metric. */
const known = new Map<string, Set<string>>()

beforeAll(async () => {
  service = await startTestService()
  const page = await (await service.get('/metrics')).text()
  for (const [, name = '', labels = ''] of page.matchAll(/^(\w+)(?:\{([^}]*)\})? /gm)) {
    const all = known.get(name) ?? new Set()
    for (const [, label = ''] of labels.matchAll(/(\w+)="/g)) all.add(label)
    known.set(name, all)
  }
  // Prometheus makes this one itself.
  known.set('up', new Set())
})
afterAll(() => service.close())

describe('each metric exists, with the labels that are asked for', () => {
  test.each(expressions)('%s', (_, expression) => {
    const metrics = metricsOf(expression)
    expect(metrics.length).toBeGreaterThan(0)
    for (const { name, labels } of metrics) {
      expect([...known.keys()], name).toContain(name)
      for (const label of labels) expect([...(known.get(name) ?? []), ...SCRAPE_LABELS]).toContain(label)
    }
    const [, grouping] = /\bby \((\w+)\)/.exec(expression) ?? []
    if (grouping) expect(metrics.some(({ name }) => known.get(name)?.has(grouping))).toBe(true)
  })
})

test('every alert is explained in docs/operations.md', () => {
  const operations = readProjectFile('docs/operations.md')
  for (const { alert } of rules) expect(operations).toContain(`| \`${alert}\` |`)
})

test('Prometheus scrapes the service of the stack, and Grafana finds Prometheus and the dashboard', () => {
  const scrape = readProjectFile('deploy/prometheus/prometheus.yml')
  expect(scrape).toContain('targets: [frostguard:8080]')
  expect(serviceOf('frostguard').ports.some((port) => port.endsWith(':8080'))).toBe(true)
  const evaluator = serviceOf('evaluator')
  const [port] = /:(\d+)\/readyz/.exec(evaluator.healthcheck?.test.join(' ') ?? '')?.slice(1) ?? []
  expect(scrape).toMatch(new RegExp(`names: \\[evaluator\\]\\s+type: A\\s+port: ${port}`))
  expect(port).toBe(String(readEvaluatorSettings({}).EVALUATOR_HTTP_PORT))
  const [source] = z
    .object({ datasources: z.array(z.object({ uid: z.string(), url: z.string() })) })
    .parse(parse(readProjectFile('deploy/grafana/provisioning/datasources/prometheus.yml'))).datasources
  expect(source?.url).toBe('http://prometheus:9090')
  for (const { datasource } of dashboard.panels) expect(datasource.uid).toBe(source?.uid)
  const folder = '/var/lib/grafana-dashboards'
  expect(readProjectFile('deploy/grafana/provisioning/dashboards/frostguard.yml')).toContain(
    `path: ${folder}\n`,
  )
  expect(serviceOf('grafana').volumes).toContain(`./deploy/grafana/dashboards:${folder}:ro`)
})

const promtool = hasProgram('promtool')
test.skipIf(!promtool)(
  `promtool accepts the configuration and the rules${promtool ? '' : ' (skipped: promtool is not installed)'}`,
  async () => {
    const checked = await runProgram('promtool', [
      'check',
      'config',
      `${ROOT}deploy/prometheus/prometheus.yml`,
    ])
    expect(checked, checked.stderr).toMatchObject({ code: 0 })
  },
)
