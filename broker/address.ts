import { isIPv6 } from 'node:net'

const MAPPED_IPV4 = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i
/** An IPv6 subscriber has at least a /64 (RFC 6177), and could use another address of it for every connection. */
const PREFIX_GROUPS = 4
const GROUPS = 8

/** What limits per address count by: an IPv4 address, or the /64 of an IPv6 address. */
export function addressKey(remoteAddress: string | undefined): string {
  if (remoteAddress === undefined) return 'unknown'
  const mapped = MAPPED_IPV4.exec(remoteAddress)?.[1]
  if (mapped !== undefined) return mapped
  const [address = ''] = remoteAddress.split('%')
  return isIPv6(address) ? `${groupsOf(address).slice(0, PREFIX_GROUPS).join(':')}::/64` : remoteAddress
}

function groupsOf(address: string): string[] {
  const [head = '', tail] = address.split('::')
  const before = head === '' ? [] : head.split(':')
  const after = tail === undefined || tail === '' ? [] : tail.split(':')
  const zeros = Array.from({ length: GROUPS - before.length - after.length }, () => '0')
  return [...before, ...zeros, ...after].map((group) => Number.parseInt(group, 16).toString(16))
}
