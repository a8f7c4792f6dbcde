/** TLS as OpenSSL's own client speaks it, which says and does what Node's does not. Skipped where there is no `openssl`. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { generate } from 'mqtt-packet'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { hasProgram } from '../contract/testing/programs.ts'
import { closeAll, connectPacket, logInRaw, publishPacket, startBroker, until } from './testing.ts'
import { createAuthority, createCertificate } from './testing-certificates.ts'

const authority = createAuthority('test authority')
const OPENSSL = 'openssl'
/** CONNACK with return code 0. */
const ACCEPTED = Buffer.from([0x20, 2, 0, 0])

let folder = ''
const path = (name: string) => join(folder, name)

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'frostguard-tls-'))
  const contents = {
    server: createCertificate('localhost', authority),
    expired: createCertificate('localhost', authority, Date.now() - 60_000),
    stranger: createCertificate('hub-1', createAuthority('another authority')),
    hub: createCertificate('hub-1', authority),
  }
  for (const [name, { key, cert }] of Object.entries(contents)) {
    writeFileSync(path(`${name}.key`), key)
    writeFileSync(path(`${name}.cert`), cert)
  }
  writeFileSync(path('ca.cert'), authority.cert)
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))
afterEach(closeAll)

function startTls({ certificate = 'server', asksForCertificate = false } = {}) {
  const env = {
    MQTT_TLS_KEY: path(`${certificate}.key`),
    MQTT_TLS_CERT: path(`${certificate}.cert`),
    ...(asksForCertificate ? { MQTT_TLS_CA: path('ca.cert') } : {}),
  }
  return startBroker({ env })
}

/** `openssl s_client` with the test's authority; it has sent `input` once the handshake is over. */
function sClient(port: number, args: readonly string[], input: Buffer = generate(connectPacket())) {
  const command = ['s_client', '-connect', `127.0.0.1:${port}`, '-CAfile', path('ca.cert'), '-quiet', ...args]
  const child = spawn(OPENSSL, command)
  const client = { child, received: Buffer.alloc(0), complaints: '', ended: once(child, 'close') }
  child.stdout.on('data', (bytes: Buffer) => {
    client.received = Buffer.concat([client.received, bytes])
  })
  child.stderr.on('data', (bytes: Buffer) => {
    client.complaints += bytes.toString()
  })
  child.stdin.on('error', () => {})
  child.stdin.write(input)
  return client
}

describe.skipIf(!hasProgram(OPENSSL, ['version']))('openssl s_client (skipped without openssl)', () => {
  test.each([
    ['without SNI', ['-noservername']],
    ['with the SNI of another host', ['-servername', 'other.example']],
    ['with an SNI of 255 bytes', ['-servername', `${'a'.repeat(63)}.`.repeat(3) + 'a'.repeat(63)]],
    ['with TLS 1.2', ['-tls1_2']],
    ['with TLS 1.3', ['-tls1_3']],
  ])('%s: comes in', async (_words, args) => {
    const { addresses } = await startTls()
    const client = sClient(addresses.tls?.port ?? 0, args)
    await until(() => client.received.length >= ACCEPTED.length, `CONNACK came: ${client.complaints}`)
    expect(client.received).toEqual(ACCEPTED)
    client.child.kill()
    await client.ended
  })

  test.each([
    ['with TLS 1.1', false, ['-tls1_1', '-cipher', 'DEFAULT@SECLEVEL=0']],
    ['with a cipher that the server does not take', false, ['-tls1_2', '-cipher', 'NULL@SECLEVEL=0']],
    ['without a certificate where one is asked for', true, []],
    ['with a certificate of another authority', true, ['-cert', 'stranger.cert', '-key', 'stranger.key']],
    ['with a certificate that has run out', true, ['-cert', 'expired.cert', '-key', 'expired.key']],
  ])('%s: refused and counted, and nobody else notices', async (_words, asksForCertificate, args) => {
    const { broker, addresses } = await startTls({ asksForCertificate })
    const witness = await logInRaw(addresses.mqtt.port, { clientId: 'witness' })
    const client = sClient(
      addresses.tls?.port ?? 0,
      args.map((arg) => (/\.(?:cert|key)$/.test(arg) ? path(arg) : arg)),
    )
    await client.ended
    expect(client.received.length).toBe(0)
    await until(() => broker.counters.tlsFailures === 1, 'it was counted')
    await until(() => broker.openConnections() === 1, 'it is gone')
    witness.send(publishPacket())
    await witness.next('puback')
  })

  test('a certificate of ours that has run out: a client that checks it does not come in, one that does not does', async () => {
    const { addresses } = await startTls({ certificate: 'expired' })
    const port = addresses.tls?.port ?? 0
    const strict = sClient(port, ['-verify_return_error'])
    await strict.ended
    expect(strict.complaints).toContain('certificate has expired')
    expect(strict.received.length).toBe(0)
    const careless = sClient(port, [])
    await until(() => careless.received.length >= ACCEPTED.length, 'CONNACK came')
    careless.child.kill()
    await careless.ended
  })

  test('one that goes in the middle of its log-in leaves nothing open', async () => {
    const { broker, addresses } = await startTls()
    const client = sClient(addresses.tls?.port ?? 0, [], generate(connectPacket()).subarray(0, 10))
    await until(() => broker.openConnections() === 1, 'it is there')
    client.child.kill('SIGKILL')
    await client.ended
    await until(() => broker.openConnections() === 0, 'it is gone')
  })
})
