import dns from 'node:dns'
import { BlockList, isIP, type LookupFunction } from 'node:net'

/**
 * IPv4 addresses that are not public: the IANA IPv4 Special-Purpose Address Registry (RFC 6890), with the whole of 192.0.0.0/24, and
 * multicast (RFC 5771).
 */
const notPublicIpv4: readonly (readonly [network: string, prefix: number])[] = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
]
/**
 * IANA assigns public IPv6 addresses from 2000::/3 alone (RFC 4291 section 2.4). So IPv4-mapped, NAT64, unique local, link-local and
 * multicast addresses are not public. These parts of 2000::/3 are in the IANA IPv6 Special-Purpose Address Registry: protocol
 * assignments with Teredo, documentation, 6to4.
 */
const publicIpv6 = ['2000::', 3] as const
const notPublicIpv6: typeof notPublicIpv4 = [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
]

const assigned = new BlockList()
assigned.addSubnet(...publicIpv6, 'ipv6')
const special = new BlockList()
for (const [network, prefix] of notPublicIpv4) special.addSubnet(network, prefix, 'ipv4')
for (const [network, prefix] of notPublicIpv6) special.addSubnet(network, prefix, 'ipv6')

/** Whether the address is one of the public Internet. An address with a zone (RFC 4007) is not. */
export function isPublicAddress(address: string): boolean {
  if (address.includes('%')) return false
  switch (isIP(address)) {
    case 4:
      return !special.check(address, 'ipv4')
    case 6:
      return assigned.check(address, 'ipv6') && !special.check(address, 'ipv6')
    default:
      return false
  }
}

/** A host has no public address. */
export class AddressNotPublicError extends Error {
  readonly code = 'ERR_ADDRESS_NOT_PUBLIC'
  override readonly name = 'AddressNotPublicError'
}

/**
 * Finds the public addresses of a host, and fails for a host without one. A socket connects to what its lookup returns, so no later answer of
 * the DNS can lead it elsewhere.
 */
export const lookupPublicly: LookupFunction = function lookupPublicly(hostname, options, callback) {
  dns.lookup(hostname, { ...options, all: true }, (error, addresses) => {
    if (error) return callback(error, [])
    const reachable = addresses.filter(({ address }) => isPublicAddress(address))
    const [first] = reachable
    if (!first) return callback(new AddressNotPublicError(), [])
    if (options.all) return callback(null, reachable)
    callback(null, first.address, first.family)
  })
}
