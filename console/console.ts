import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Registry } from 'prom-client'
import { SettingsError } from '../settings.ts'
import { statusPage } from './status-page.ts'

/** One line of the status page's tables: a name and its present value. */
export type StatusSnapshot = Record<string, Record<string, number | string>>

export interface ConsoleOptions {
  host: string
  port: number
  /** The setting that the port comes from. */
  portSetting: 'HTTP_PORT' | 'EVALUATOR_HTTP_PORT'
  metrics: Registry
  /** Why the service should get no traffic now; empty when it is ready. */
  notReady: () => string[]
  /** What else needs somebody; it gets traffic all the same. */
  notices: () => string[]
  /** What the status page shows, by section. */
  status: () => StatusSnapshot
}

export interface Console {
  /** Where the pages are, for example `http://127.0.0.1:8080`. */
  url: string
  close(): Promise<void>
}

/**
 * Serves `/` (live status), `/metrics` (Prometheus text), `/livez` and `/readyz` (503 with the reasons).
 * Rejects with a sentence that names the setting when the port is taken.
 */
export async function openConsole(options: ConsoleOptions): Promise<Console> {
  const server = createServer((request, response) => {
    answer(options, request, response).catch((error: Error) => {
      response.writeHead(500, { 'content-type': 'text/plain; charset=utf-8' }).end(`${error.message}\n`)
    })
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(listenError(error, options)))
    server.listen(options.port, options.host, resolve)
  })
  const { port } = server.address() as AddressInfo
  const host = options.host.includes(':') ? `[${options.host}]` : options.host
  return {
    url: `http://${host}:${port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

async function answer(
  options: ConsoleOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const send = (status: number, type: string, body: string) => {
    response.writeHead(status, { 'content-type': `${type}; charset=utf-8`, 'cache-control': 'no-store' })
    response.end(request.method === 'HEAD' ? undefined : body)
  }
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    response.setHeader('allow', 'GET, HEAD')
    return send(405, 'text/plain', 'Only GET and HEAD are answered here.\n')
  }
  switch (request.url?.split('?')[0]) {
    case '/':
      return send(200, 'text/html', statusPage)
    case '/status.json':
      return send(
        200,
        'application/json',
        JSON.stringify({ notReady: options.notReady(), notices: options.notices(), ...options.status() }),
      )
    case '/metrics':
      return send(200, 'text/plain; version=0.0.4', await metricsText(options.metrics))
    case '/livez':
      return send(200, 'text/plain', 'alive\n')
    case '/readyz': {
      const reasons = options.notReady()
      const lines = [...(reasons.length === 0 ? ['ready'] : reasons), ...options.notices()]
      return send(reasons.length === 0 ? 200 : 503, 'text/plain', `${lines.join('\n')}\n`)
    }
    default:
      return send(404, 'text/plain', 'Nothing here. Try /, /metrics, /livez or /readyz.\n')
  }
}

/** prom-client 15 writes `Nan`, which the text format does not know (its event loop gauges have it between samples). */
async function metricsText(metrics: Registry): Promise<string> {
  return (await metrics.metrics()).replaceAll(/ Nan$/gm, ' NaN')
}

function listenError(error: NodeJS.ErrnoException, { host, port, portSetting }: ConsoleOptions): Error {
  const reasons: Record<string, string> = {
    EADDRINUSE: `${portSetting}=${port} on ${host} is taken by another program: stop it, or set ${portSetting} to a free port (0 = any).`,
    EACCES: `${portSetting}=${port}: no right to listen on this port. Set ${portSetting} to a port from 1024 up.`,
    EADDRNOTAVAIL: `HTTP_HOST=${host} is not an address of this machine. Set HTTP_HOST to one, or to 0.0.0.0 for all.`,
    ENOTFOUND: `HTTP_HOST=${host} is not a known host. Set HTTP_HOST to an address of this machine.`,
  }
  const reason = reasons[error.code ?? '']
  return reason === undefined ? error : new SettingsError(reason, { cause: error })
}
