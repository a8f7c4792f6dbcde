import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto'

/** A key and a certificate for tests, both PEM. */
export interface TestCertificate {
  key: string
  cert: string
}

export interface TestAuthority extends TestCertificate {
  name: string
  privateKey: KeyObject
}

const HOUR_MS = 3_600_000
const SEQUENCE = 0x30
const SET = 0x31
const CONTEXT_0 = 0xa0
const CONTEXT_3 = 0xa3
const ECDSA_WITH_SHA256 = Buffer.from('06082a8648ce3d040302', 'hex')
const COMMON_NAME = Buffer.from('0603550403', 'hex')
/** basicConstraints, critical, CA: true */
const IS_AUTHORITY = Buffer.from('300f0603551d130101ff040530030101ff', 'hex')
const VERSION_3 = Buffer.from('020102', 'hex')

/** A certificate authority that signs itself. */
export function createAuthority(name: string): TestAuthority {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const cert = certificate({
    subject: name,
    issuer: name,
    publicKey,
    signer: privateKey,
    isAuthority: true,
    endsAtMs: Date.now() + HOUR_MS,
  })
  return { name, privateKey, key: pem(privateKey), cert }
}

/** A certificate for a server or client of that name, valid until an hour from now or `endsAtMs`. */
export function createCertificate(
  subject: string,
  authority: TestAuthority,
  endsAtMs = Date.now() + HOUR_MS,
): TestCertificate {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const signer = authority.privateKey
  const cert = certificate({
    subject,
    issuer: authority.name,
    publicKey,
    signer,
    isAuthority: false,
    endsAtMs,
  })
  return { key: pem(privateKey), cert }
}

/** X.509 version 3 (RFC 5280, 4.1), with no more than OpenSSL asks for. */
function certificate(options: {
  subject: string
  issuer: string
  publicKey: KeyObject
  signer: KeyObject
  isAuthority: boolean
  endsAtMs: number
}): string {
  const { subject, issuer, publicKey, signer, isAuthority, endsAtMs } = options
  const serial = Buffer.concat([Buffer.from([1]), Buffer.from(`${Date.now()}`)])
  const signed = der(
    SEQUENCE,
    der(CONTEXT_0, VERSION_3),
    der(0x02, serial),
    der(SEQUENCE, ECDSA_WITH_SHA256),
    nameOf(issuer),
    der(SEQUENCE, time(Math.min(Date.now(), endsAtMs) - HOUR_MS), time(endsAtMs)),
    nameOf(subject),
    publicKey.export({ type: 'spki', format: 'der' }),
    ...(isAuthority ? [der(CONTEXT_3, der(SEQUENCE, IS_AUTHORITY))] : []),
  )
  const signature = sign('sha256', signed, signer)
  const whole = der(
    SEQUENCE,
    signed,
    der(SEQUENCE, ECDSA_WITH_SHA256),
    der(0x03, Buffer.from([0]), signature),
  )
  const lines = whole.toString('base64').match(/.{1,64}/g) ?? []
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`
}

function der(tag: number, ...contents: Buffer[]): Buffer {
  const body = Buffer.concat(contents)
  const length =
    body.length < 128
      ? [body.length]
      : body.length < 256
        ? [0x81, body.length]
        : [0x82, body.length >> 8, body.length & 0xff]
  return Buffer.concat([Buffer.from([tag, ...length]), body])
}

function nameOf(commonName: string): Buffer {
  return der(SEQUENCE, der(SET, der(SEQUENCE, COMMON_NAME, der(0x0c, Buffer.from(commonName)))))
}

/** UTCTime: YYMMDDHHMMSSZ */
function time(epoch_ms: number): Buffer {
  const digits = new Date(epoch_ms).toISOString().replace(/\D/g, '')
  return der(0x17, Buffer.from(`${digits.slice(2, 14)}Z`))
}

function pem(key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'pem' }).toString()
}
