import { startTestServer, type TestServer, type TestServerOptions } from '../../db/testing/test-server.ts'
import { startUrlProxy, type TcpProxy } from './tcp-proxy.ts'

/** A PostgreSQL of a test's own behind a proxy, whose address stays whatever becomes of the server. */
export interface ProxiedServer extends Omit<TestServer, 'url'> {
  /** Through the proxy. */
  url: string
  /** Past the proxy, as it is after the latest start. */
  readonly directUrl: string
  proxy: TcpProxy
}

/**
 * Starts a server and a proxy before it. While a server is down its port is free, and another program may take it: then
 * it comes back on another one, and the proxy leads there.
 */
export async function startProxiedServer(options: TestServerOptions = {}): Promise<ProxiedServer> {
  const server = await startTestServer({ ...options, mayMove: true })
  const { proxy, url } = await startUrlProxy(server.url)
  return {
    url,
    proxy,
    dataDir: server.dataDir,
    get directUrl() {
      return server.url
    },
    get pid() {
      return server.pid
    },
    start: async () => {
      await server.start()
      proxy.leadTo({ host: '127.0.0.1', port: Number(new URL(server.url).port) })
    },
    stop: (mode) => server.stop(mode),
    kill: () => server.kill(),
    remove: async () => {
      await proxy.close()
      await server.remove()
    },
  }
}
