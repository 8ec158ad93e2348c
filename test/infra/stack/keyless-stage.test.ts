import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { NestedStack, type Stack } from 'aws-cdk-lib'
import { Template } from 'aws-cdk-lib/assertions'
import { readElements } from '../../../infra/stack/element-files.ts'
import { elementsFileOf } from '../../support/elements/element-store.ts'
import type { RawElements } from '../../support/elements/elements.ts'
import { root } from '../../support/process/local-run.ts'
import { createTestStack } from './test-stack.ts'

/* A stage whose connections use KMS or AWS's identity alone, and the table of SECURITY.md of what is left to steal in it. */

const page = readFileSync(join(root, 'SECURITY.md'), 'utf8')
const [, section = ''] = page.split('\n## A stage without signing keys\n')
const rows = [...(section.split('\n## ')[0]?.matchAll(/^\| (?!---|what )(.+?) \| (.+?) \| (.+?) \|$/gm) ?? [])]

const keyless: RawElements = {
  awsWebIdentity: { aws: { audience: 'https://as.example.com', role: 'connection' } },
  keyStore: { inKms: { location: 'kms:alias/tokenwell/test/orders' } },
  jwtBuilder: {
    builder: { issuer: 'orders', keyStoreRef: 'inKms', signatureAlgorithm: 'ES256' },
    localBuilder: {
      issuer: 'orders',
      keyStoreRef: 'inKms',
      signatureAlgorithm: 'ES256',
      audiences: 'https://api.example.com',
    },
  },
  oAuthTokenConfig: {
    signedByKms: { tokenGeneratorRef: 'builder', tokenSubject: 'orders' },
    signedByAws: { tokenGeneratorRef: 'aws' },
  },
  authorizationServer: { as: { tokenEndpoint: 'https://as.example.com/token', issuer: 'https://as.example.com' } },
  oAuthConfig: {
    byKms: { authServerRef: 'as', jwtAuthenticationTokenRef: 'signedByKms' },
    byAws: { authServerRef: 'as', jwtAuthenticationTokenRef: 'signedByAws' },
  },
  endpointConnection: { orders: { authenticationConfigRef: 'byKms' }, reports: { authenticationConfigRef: 'byAws' } },
}

test('the only secret of a stage without signing keys is the one of the cache', async (t) => {
  assert.deepEqual(secretsOf(await deploy(t, keyless)), ['tokenwell/test/cache'])
})

test('a connection with keys that Tokenwell makes adds a signing key to the secrets, and this check sees it', async (t) => {
  const builder = { ...keyless['jwtBuilder'], made: { issuer: 'orders', jwkEnabled: true } }
  const config = { ...keyless['oAuthTokenConfig'], signedByKms: { tokenGeneratorRef: 'made', tokenSubject: 'orders' } }
  const stack = await deploy(t, { ...keyless, jwtBuilder: builder, oAuthTokenConfig: config })
  assert.deepEqual(secretsOf(stack), ['tokenwell/test/cache', 'tokenwell/test/jwk/made'])
})

test('no element of such a stage names a secret, so the operator stores none', async (t) => {
  const elements = readElements(await elementsFileOf(t, keyless))
  assert.equal(elements.length, 11)
  assert.doesNotMatch(JSON.stringify(elements), /(?<!kms:alias\/)tokenwell\//)
  // What the parameters hold is in the row of the elements.
  assert.ok(rows.some(([, what]) => what?.includes('/tokenwell/<stage>/<kind>/<id>')))
})

test('SECURITY.md says of each thing that holds or gives something what a thief gets by it, and until when', async (t) => {
  const stack = await deploy(t, keyless)
  const { Resources: resources } = Template.fromStack(stack).toJSON() as {
    Resources: Record<string, { Type: string; Properties?: Record<string, unknown> }>
  }
  const holding: Readonly<Record<string, string>> = {
    'AWS::SecretsManager::Secret': 'tokenwell/<stage>/cache',
    'AWS::DynamoDB::Table': 'table',
    'AWS::KMS::Key': 'publications',
    'AWS::IAM::Role': 'roles',
    'Custom::TokenwellElements': '/tokenwell/<stage>/<kind>/<id>',
    'AWS::SQS::Queue': 'queues',
    'AWS::Events::EventBus': 'bus',
    'AWS::Logs::LogGroup': 'logs',
  }
  const types = new Set(Object.values(resources).map(({ Type }) => Type))
  for (const [type, words] of Object.entries(holding)) {
    assert.ok(types.has(type), type)
    assert.ok(
      rows.some(([, what]) => what?.includes(words)),
      `SECURITY.md has no row for ${words}`,
    )
  }
  const others =
    /^AWS::(ApiGatewayV2|Lambda|CloudWatch|Events::Rule|Scheduler|IAM::Policy|SQS::QueuePolicy)|^Custom::Trigger$/
  assert.deepEqual(
    [...types].filter((type) => !(type in holding) && !others.test(type)),
    [],
    'a new kind of resource needs a row in SECURITY.md, if it holds something',
  )
  for (const [, , thief, end] of rows) assert.ok((thief?.length ?? 0) > 20 && (end?.length ?? 0) > 5)
})

test('the functions of such a stage have no variable that is a credential', async (t) => {
  const { Resources: resources } = Template.fromStack(await deploy(t, keyless)).toJSON() as {
    Resources: Record<string, { Type: string; Properties: { Environment?: { Variables: Record<string, unknown> } } }>
  }
  const names = Object.values(resources).flatMap(({ Type, Properties }) =>
    Type === 'AWS::Lambda::Function' ? Object.keys(Properties.Environment?.Variables ?? {}) : [],
  )
  assert.ok(names.includes('TOKENWELL_IDENTITY_ROLE'))
  assert.deepEqual(
    [...new Set(names)].filter((name) => /SECRET$|PASSWORD|TOKEN$|KEY$/.test(name)),
    // The ARN of a key in KMS.
    ['TOKENWELL_PUBLICATION_KEY'],
  )
})

async function deploy(t: TestContext, elements: RawElements): Promise<Stack> {
  return createTestStack(t, { elements: await elementsFileOf(t, elements) }).stack
}

/** The names of all secrets that the stack and its nested stacks make. */
function secretsOf(stack: Stack): string[] {
  const stacks = [stack, ...stack.node.findAll().filter((each) => each instanceof NestedStack)]
  const found = stacks.flatMap((each) =>
    Object.values(Template.fromStack(each).findResources('AWS::SecretsManager::Secret')),
  )
  return found.map(({ Properties }) => String(Properties['Name'])).toSorted()
}
