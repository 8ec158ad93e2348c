import assert from 'node:assert/strict'
import dns, { type LookupAddress } from 'node:dns'
import { type TestContext, test } from 'node:test'
import { AddressNotPublicError, isPublicAddress, lookupPublicly } from '../../../../lib/adapters/http/public-address.ts'

/** First and last addresses of each range, by what the IANA registries say of it. */
const notPublic: Readonly<Record<string, readonly string[]>> = {
  'this network': ['0.0.0.0', '0.255.255.255'],
  private: ['10.0.0.0', '10.255.255.255', '172.16.0.0', '172.31.255.255', '192.168.0.0', '192.168.255.255'],
  'shared, behind the NAT of a carrier': ['100.64.0.0', '100.127.255.255'],
  loopback: ['127.0.0.1', '127.255.255.255', '::1'],
  'link-local, with the metadata of cloud instances': [
    '169.254.0.0',
    '169.254.169.254',
    '169.254.170.2',
    'fe80::1',
    'febf::1',
  ],
  'protocol assignments': ['192.0.0.0', '192.0.0.170', '192.0.0.255', '2001::', '2001:1ff:ffff::'],
  documentation: ['192.0.2.1', '198.51.100.1', '203.0.113.1', '2001:db8::1', '3fff::1', '3fff:fff:ffff::1'],
  '6to4': ['192.88.99.1', '2002::1', '2002:a00:1::1'],
  benchmarking: ['198.18.0.0', '198.19.255.255'],
  multicast: ['224.0.0.1', '239.255.255.255', 'ff02::1'],
  'reserved and broadcast': ['240.0.0.1', '255.255.255.255'],
  unspecified: ['::'],
  'IPv4 in IPv6': ['::ffff:8.8.8.8', '::ffff:10.0.0.1', '::ffff:a9fe:a9fe', '::ffff:0:8.8.8.8', '::8.8.8.8'],
  NAT64: ['64:ff9b::8.8.8.8', '64:ff9b::10.0.0.1', '64:ff9b:1::1'],
  'unique local, with the metadata of AWS': ['fc00::1', 'fd00:ec2::254', 'fdff::1'],
  'site-local': ['fec0::1'],
  'discard only': ['100::1'],
  'segment routing': ['5f00::1'],
  'with a zone': ['fe80::1%eth0', '2600::1%1'],
  'no address': ['', 'localhost', '127.1', '0x7f000001', '2130706433', '0177.0.0.1'],
}
for (const [what, addresses] of Object.entries(notPublic))
  test(`an address is not public: ${what}`, () => {
    for (const address of addresses) assert.equal(isPublicAddress(address), false, address)
  })

test('the addresses beside these ranges are public', () => {
  for (const address of [
    ...['1.0.0.0', '9.255.255.255', '11.0.0.0', '100.63.255.255', '100.128.0.0', '126.255.255.255', '128.0.0.0'],
    ...['169.253.255.255', '169.255.0.0', '172.15.255.255', '172.32.0.0', '191.255.255.255', '192.0.1.0', '192.0.3.0'],
    ...['192.88.98.255', '192.88.100.0', '192.167.255.255', '192.169.0.0', '198.17.255.255', '198.20.0.0'],
    ...['198.51.99.255', '198.51.101.0', '203.0.112.255', '203.0.114.0', '223.255.255.255'],
    ...['2001:200::', '2001:db7:ffff::', '2001:db9::', '2003::', '2600:1f00::1', '3ffe:ffff::', '3fff:1000::'],
  ])
    assert.equal(isPublicAddress(address), true, address)
})

/** The answer of the DNS, which is the far end. */
function answerLookups(t: TestContext, addresses: readonly string[]): void {
  t.mock.method(dns, 'lookup', ((_name: string, _options: object, callback: (error: null, found: object[]) => void) =>
    callback(
      null,
      addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
    )) as never)
}

function look(options: { readonly all?: boolean }): Promise<string | LookupAddress[]> {
  return new Promise((resolve, reject) => {
    lookupPublicly('api.example.com', options, (error, found) => (error ? reject(error) : resolve(found)))
  })
}

test('a socket gets only the public addresses of a name', async (t) => {
  answerLookups(t, ['10.0.0.1', '8.8.8.8', '::1', '2600::1'])
  assert.deepEqual(await look({ all: true }), [
    { address: '8.8.8.8', family: 4 },
    { address: '2600::1', family: 6 },
  ])
  assert.equal(await look({}), '8.8.8.8')
})

test('a name without a public address gives a socket nothing to connect to', async (t) => {
  answerLookups(t, ['10.0.0.1', '::1'])
  for (const options of [{ all: true }, {}]) await assert.rejects(look(options), AddressNotPublicError)
})

test('the error of the DNS stays the error', async (t) => {
  const failure = Object.assign(new Error('no such name'), { code: 'ENOTFOUND' })
  t.mock.method(dns, 'lookup', ((_name: string, _options: object, callback: (error: Error) => void) =>
    callback(failure)) as never)
  await assert.rejects(look({ all: true }), { code: 'ENOTFOUND' })
})
