import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkPublicSuffixes } from '../../../infra/cli/public-suffixes.ts'
import { describeFinding } from '../../../lib/configuration/finding.ts'
import { elementStoreOf, exampleIssuer } from '../../support/elements/element-store.ts'
import { exampleElements } from '../../support/elements/elements.ts'

async function findingsFor(t: Parameters<typeof elementStoreOf>[0], within: readonly string[], more = {}) {
  const hostFrom = { member: 'instance_url', within }
  const store = await elementStoreOf(t, exampleElements(exampleIssuer, { oAuth: { hostFrom, ...more } }))
  const findings = await checkPublicSuffixes(store)
  return findings.map((finding) => `${finding.severity} ${describeFinding(finding)}`)
}

test('a domain below which anybody can register a name is a mistake', async (t) => {
  for (const domain of ['co.uk', 'com.au', 'kawasaki.jp', 'xn--55qx5d.cn'])
    assert.deepEqual(await findingsFor(t, [`*.${domain}`, 'api.example.com']), [
      `mistake oAuthConfig/theConfig hostFrom: Anybody can register a domain below ${domain}, so *.${domain} in within allows tokens to go to any of them. Name a domain of the provider.`,
    ])
})

test("a domain whose names belong to the provider's customers draws a warning, which the operator can accept", async (t) => {
  const within = ['*.github.io', '*.myshopify.com']
  const lines = await findingsFor(t, within)
  assert.equal(lines.length, 2)
  for (const [index, domain] of ['github.io', 'myshopify.com'].entries())
    assert.match(
      String(lines[index]),
      new RegExp(`^warning oAuthConfig/theConfig hostFrom: The provider of ${domain} `),
    )
  assert.deepEqual(await findingsFor(t, within, { acceptedWarnings: 'hostFrom' }), [])
  assert.equal((await findingsFor(t, ['*.co.uk'], { acceptedWarnings: 'hostFrom' })).length, 1, 'a mistake stays')
})

test('a domain of one owner, and a host, draw nothing', async (t) => {
  assert.deepEqual(
    await findingsFor(t, ['*.my.salesforce.com', '*.example.co.uk', 'acme.github.io', 'www.co.uk', '*.acme.github.io']),
    [],
  )
})

test('elements without hostFrom, or with a hostFrom that cannot be read, draw nothing', async (t) => {
  assert.deepEqual(await findingsFor(t, [], { hostFrom: undefined }), [])
  assert.deepEqual(await findingsFor(t, [], { hostFrom: { within: '*.co.uk' } }), [])
})
