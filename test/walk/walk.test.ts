import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { SourceTree } from './source-tree.ts'
import { drawWalk, type Walk, walkFrom, wayTo } from './walk.ts'

/*
 * Every call on the way to a first token can be followed: "go to implementation" leads to the code that runs. Like an
 * editor, the test asks the language service of TypeScript at every call, from the POST route of issue-token on. It
 * follows every function of Tokenwell that it finds.
 *
 * The walk uses only the source, not a run. So it includes branches that no test takes, needs no server, and gives the
 * same result on every machine. It is wider than one first token, and stricter: it includes the DynamoDB adapter next
 * to the one in memory.
 */

/** The interfaces with several implementations, and the factories of these. */
const ports = {
  AssertionMaker: [
    'lib/signing/assertion.ts: createSignedAssertions',
    'lib/signing/web-identity.ts: prepareWebIdentity',
  ],
  CoolDownRegistry: [
    'lib/fleet/cool-downs.ts: createCoolDownRegistry',
    'lib/fleet/cool-downs.ts: createLocalCoolDownRegistry',
  ],
  DispatcherFactory: [
    'lib/adapters/http/undici-api-endpoint.ts: connectionsCache',
    'lib/adapters/http/undici-token-endpoint.ts: pools',
  ],
  ElementStore: [
    'lib/adapters/aws/parameter-store-elements.ts: parameterStoreElements',
    'lib/adapters/files/file-elements.ts: elementsFrom',
    'lib/application/open-adapters.ts: openElements',
    'lib/configuration/element-store.ts: mergeReads',
  ],
  ElementsSource: [
    'lib/adapters/files/file-elements.ts: fileElements',
    'lib/adapters/files/file-elements.ts: textElements',
  ],
  EventBus: [
    'lib/adapters/aws/eventbridge-bus.ts: eventbridgeBus',
    'lib/adapters/process/published-bus.ts: publishedBus',
    'lib/application/open-adapters.ts: noBus',
    'lib/application/open-adapters.ts: openEvents',
  ],
  KeyService: [
    'lib/adapters/aws/kms-key-service.ts: kmsKeyService',
    'lib/adapters/files/file-key-service.ts: fileKeyService',
    'lib/application/open-key-service.ts: openKeyService',
  ],
  Lease: ['lib/fleet/lease.ts: createLease', 'lib/fleet/lease.ts: unsharedLease'],
  MetadataSource: [
    'lib/adapters/http/undici-metadata.ts: undiciMetadata',
    'lib/application/open-adapters.ts: openMetadataSource',
  ],
  PublicationKey: [
    'lib/adapters/aws/kms-publication-key.ts: kmsPublicationKey',
    'lib/adapters/files/file-publication-key.ts: filePublicationKey',
    'lib/application/open-publication-key.ts: openPublicationKey',
  ],
  RecordStore: [
    'lib/adapters/aws/dynamodb-records.ts: dynamodbRecords',
    'lib/adapters/process/memory-records.ts: memoryRecords',
    'lib/adapters/valkey/valkey-records.ts: valkeyRecords',
    'lib/application/open-store.ts: openOwn',
    'lib/fleet/authentic-records.ts: createAuthenticRecords',
  ],
  // WebAssembly that undici's parser calls.
  Llhttp: [],
  // iovalkey makes these methods of Lua scripts.
  RedisCommander: [],
  Sealing: ['lib/fleet/sealing.ts: createSealing', 'lib/fleet/sealing.ts: withoutSealing'],
  SecretStore: [
    'lib/adapters/aws/secrets-manager-secrets.ts: secretsManagerSecrets',
    'lib/adapters/files/file-secrets.ts: fileSecrets',
    'lib/application/open-store.ts: openSecrets',
  ],
  Signer: ['lib/signing/kms-signers.ts: signerOf', 'lib/signing/signer.ts: createLocalSigner'],
  TokenEndpoint: [
    'lib/adapters/http/undici-token-endpoint.ts: undiciTokenEndpoint',
    'lib/application/open-adapters.ts: openTokenEndpoint',
  ],
  WebIdentity: [
    'lib/adapters/aws/sts-web-identity.ts: stsWebIdentity',
    'lib/application/open-web-identity.ts: openWebIdentity',
    'lib/application/open-web-identity.ts: withoutRole',
  ],
}

const wire = { path: 'lib/adapters/http/http-exchange.ts', name: 'exchange' }
const beginning = { path: 'functions/issue-token/handler.ts', name: 'issue' }

let tree: SourceTree
let walk: Walk
before(async () => {
  tree = await SourceTree.open({
    'lib/unfollowable.ts': readFileSync(join(import.meta.dirname, 'unfollowable.ts'), 'utf8'),
  })
  const beginnings = await tree.functionsNamed(beginning.path, [beginning.name])
  walk = await walkFrom(tree, beginnings, ports)
})
after(() => tree.close())

test('every call on the way to a first token leads to one function, or to the adapters of a port', () => {
  console.log(drawWalk(walk))
  assert.deepEqual(walk.problems, [])
})

test('the walk goes from the handler to the network, through hundreds of calls', () => {
  console.log(`${walk.steps.length} functions, ${walk.calls} calls`)
  const reached = new Set(walk.steps.map(({ fn }) => fn.path))
  for (const adapter of Object.values(ports).flat()) {
    const [path = ''] = adapter.split(': ')
    assert.ok(reached.has(path), path)
  }
  for (const path of ['lib/adapters/http/http-exchange.ts', 'lib/signing/signer.ts']) assert.ok(reached.has(path), path)
  assert.ok(walk.calls > 500)
})

test('the code that assembles the core passes no functions except the clock, randomness, the pause and the log', async () => {
  const joining = await tree.functionsNamed('lib/application/application.ts', [
    'createApplication',
    'createCallingApplication',
    'createBackgroundApplication',
  ])
  const { problems, steps } = await walkFrom(tree, joining, ports)
  assert.deepEqual(problems, [])
  assert.ok(steps.length > 25)
})

test('the walk in lib/README.md is the shortest one from the handler to the network', () => {
  const page = readFileSync(join(import.meta.dirname, '../../lib/README.md'), 'utf8')
  const [, section = ''] = /## One request, [^\n]*\n([\s\S]*?)\n## /.exec(page) ?? []
  const named = [...section.matchAll(/^\d+\. `([^`]+)`/gm)].map(([, path]) => path)
  const atWire = walk.steps.find(({ fn }) => fn.path === wire.path && fn.name === wire.name)
  assert(atWire)
  const way = wayTo(atWire).map(({ path }) => path)
  assert.deepEqual(
    named,
    way.filter((path, index) => path !== way[index - 1]),
  )
})

test('the walk finds a call that cannot be followed', async () => {
  const problemsOf = async (name: string) => {
    const { problems } = await walkFrom(tree, await tree.functionsNamed('lib/unfollowable.ts', [name]), {})
    return problems.map((each) => each.replace(/^\S+ /, '')).sort()
  }
  const found = {
    ofDependency: ['ofDependency: read is a function that was handed in as a dependency'],
    ofMember: ['ofMember: dependencies.read is a member that holds a function: make it a method'],
    ofFactory: ['ofFactory: bare leads to lib/unfollowable.ts:27'],
    ofCallbackElsewhere: [
      'ofCallbackElsewhere: call is a function that is handed over as a value',
      'twice: call is a function that is not written at the call: twice(call)',
    ],
    ofUnlistedPort: [
      'ofUnlistedPort: port.get has several implementations: lib/unfollowable.ts: first, lib/unfollowable.ts: second',
    ],
    ofResult: ['ofResult: createBare() is a call of a value that has no name'],
    ofCallbackAtTheCall: [],
    ofPackages: [],
  }
  for (const [name, problems] of Object.entries(found)) assert.deepEqual(await problemsOf(name), problems, name)
})
