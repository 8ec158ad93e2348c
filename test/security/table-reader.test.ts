import assert from 'node:assert/strict'
import { createHash, createHmac, randomBytes } from 'node:crypto'
import { type TestContext, test } from 'node:test'
import { type AttributeValue, PutItemCommand, ScanCommand } from '@aws-sdk/client-dynamodb'
import { CompactEncrypt, decodeProtectedHeader } from 'jose'
import { tokenKey } from '../../lib/access-token/token.ts'
import { exampleElements } from '../support/elements/elements.ts'
import { startCaller } from '../support/functions/function-caller.ts'
import {
  startIssueTokenWithScriptedServer,
  tokenAnswer,
} from '../support/functions/issue-token-with-scripted-server.ts'
import { tokenRequest, writeSecret } from '../support/functions/load-function.ts'
import { leaks, plant } from '../support/output/canary.ts'
import { type DynamodbServer, pointSdkAt, startDynalite } from '../support/servers/dynalite.ts'

/*
 * A reader of the table sees every byte of it. A writer can put anything there. The function has the same wiring as on
 * AWS, except that its secrets are files.
 */

type Item = Record<string, AttributeValue>

const tableName = 'tokens'
/** The parts of one request, in forms that a server would understand. */
const asked = {
  scope: 'canary:scope:of:orders',
  resource: 'https://canary-resource.example/orders',
  audience: 'canary-audience-of-orders',
  tenant: 'canary-tenant-of-orders',
}
/** Members of the answer that callers get beside the token. */
const passedOn = { instance_url: 'https://canary-instance.example' }
const user = { username: 'canary-user-mallory', password: 'the canary password of mallory' }
const subjectToken = { subject_token: 'canary-subject-token-of-mallory', subject_token_type: 'urn:canary:type' }
plant(user.password)
plant(subjectToken.subject_token)

test('no record shows in clear what a caller asked for, which caller asked, or what the result was', async (t) => {
  const { ask, items, tokens } = await startFleet(t)
  const first = await ask('conn', asked)
  const again = await ask('conn', asked, `rejected_token_id=${first['token_id']}`)
  const ofUser = await ask('of-users', { ...user, scope: asked.scope })
  const exchanged = await ask('on-behalf', subjectToken)
  for (const each of [first, again, ofUser, exchanged]) assert.equal(each['source'], 'server', JSON.stringify(each))
  assert.equal(first['instance_url'], passedOn.instance_url)
  // One refusal repeats the user in the server's own words, and one leads to a cool-down.
  for (const password of ['wrong', 'wrong again', 'and again wrong'])
    assert.equal(
      (await ask('of-users', { ...user, scope: asked.scope, password: `${user.password} ${password}` }))['error'],
      'invalid_grant',
    )

  const all = await items()
  assert.ok(all.length >= 6, `${all.length} records`)
  assert.ok(
    all.some(({ sealedToken }) => sealedToken),
    'no record holds a token',
  )
  assert.ok(
    all.some(({ failure }) => failure),
    'no record holds a failure',
  )
  assert.ok(
    all.some(({ name }) => name?.S?.startsWith('cool-downs/')),
    'no record holds a cool-down',
  )
  for (const field of ['fingerprint', 'failedFingerprint']) {
    const fingerprints = all.flatMap(({ [field]: value }) => value?.S ?? [])
    assert.ok(fingerprints.length > 0, field)
    for (const each of fingerprints) assert.match(each, /^2:[A-Za-z0-9_-]{43}$/, 'elements are named by a MAC')
  }
  const secrets = [asked, user, passedOn, subjectToken].flatMap((each) => Object.values(each)).concat(tokens)
  assert.ok(tokens.length >= 3)
  const encoded = secrets.flatMap((secret) => [
    encodeURIComponent(secret),
    ...(['base64', 'base64url', 'hex'] as const).map((encoding) => Buffer.from(secret).toString(encoding)),
  ])
  assert.deepEqual(leaks([...secrets, ...encoded], all.flatMap(textsOf)), [])
})

test('the names of records are an HMAC: without the naming key a right guess looks like a wrong one', async (t) => {
  const one = await startFleet(t)
  const other = await startFleet(t, one)
  for (const { ask } of [one, other]) {
    await ask('conn', asked)
    await ask('of-users', user)
  }
  const names = [await tokenNames(one), await tokenNames(other)]
  assert.deepEqual(
    names.map((each) => each.length),
    [2, 2],
  )
  const [ofOne = [], ofOther = []] = names
  assert.deepEqual(
    ofOne.filter((name) => ofOther.includes(name)),
    [],
    'the same requests under another key',
  )

  // This reader knows exactly what was requested, and how names are made.
  const { tenant, scope, resource, audience } = asked
  const guess = tokenKey({ connection: 'conn', scope: [scope], resource: [resource], audience, further: { tenant } })
  const digests = [
    createHash('sha256').update(guess).digest('base64url'),
    ...['', '\0'.repeat(32), 'conn', tableName].map((key) =>
      createHmac('sha256', key).update(guess).digest('base64url'),
    ),
  ]
  assert.deepEqual(leaks(digests, ofOne), [])
  const right = createHmac('sha256', one.namingKey).update(guess).digest('base64url')
  assert.ok(ofOne.includes(`conn/token#${right}`), 'with the key the guess is right')
})

test('a ciphertext that is moved to the record of another request, or connection, can be decrypted in neither', async (t) => {
  const fleet = await startFleet(t)
  const { ask, items, put } = fleet
  const mine = await ask('conn', { scope: 'mine' })
  const others = { scope: 'others', connection: 'other', user: { connection: 'of-users', ...user } }
  await ask('conn', { scope: others.scope })
  await ask('other', {})
  await ask('of-users', user)
  const all = await items()
  const ofMine = all.find(
    ({ name, sealedToken }) => name?.S?.startsWith('conn/') && tokenIdIn(name, mine) && sealedToken,
  )
  assert.ok(ofMine?.['sealedToken'])
  const replaced = all.filter(({ sealedToken }) => sealedToken && sealedToken.S !== ofMine['sealedToken']?.S)
  assert.equal(replaced.length, 3)
  // Everything except the name, which is the most that an attacker can move.
  for (const { name } of replaced) if (name) await put({ ...ofMine, name })

  const fresh = await fleet.another()
  for (const [connection, request] of [
    ['conn', { scope: others.scope }],
    ['other', {}],
    ['of-users', user],
  ] as const) {
    const answer = await fresh(connection, request)
    assert.equal(answer['source'], 'server', connection)
    assert.notEqual(answer['access_token'], mine['access_token'])
  }
  assert.equal((await fresh('conn', { scope: 'mine' }))['source'], 'cache', 'in its own record it opens')
})

test('a token that is written to the table without the keys is never handed out', async (t) => {
  const fleet = await startFleet(t)
  const { ask, items, put } = fleet
  await ask('conn', {})
  const [item] = (await items()).filter(({ sealedToken }) => sealedToken)
  assert.ok(item)
  const { kid, record } = decodeProtectedHeader(String(item['sealedToken']?.S))
  const now = Date.now()
  const times = { issuedAt: now, refreshAt: now + 1e6, usableUntil: now + 2e6, expiresAt: now + 3e6 }
  const forged = JSON.stringify({
    ...{ id: 'forged', connection: 'conn', accessToken: 'forged', generation: Number(item['generation']?.N) },
    ...{ ...times, asked: { further: {} } },
  })
  const header = { alg: 'dir', enc: 'A256GCM', kid: String(kid), record }
  const plaintext = Buffer.from(forged)
  const sealed = await new CompactEncrypt(plaintext).setProtectedHeader(header).encrypt(randomBytes(32))
  const unsecured = [{ ...header, alg: 'none' }, {}].map(
    (each) => `${Buffer.from(JSON.stringify(each)).toString('base64url')}.${plaintext.toString('base64url')}.`,
  )
  for (const sealedToken of [forged, sealed, ...unsecured]) {
    await put({ ...item, sealedToken: { S: sealedToken } })
    const answer = await (await fleet.another())('conn', {})
    assert.equal(answer['source'], 'server', sealedToken)
    assert.notEqual(answer['access_token'], 'forged')
  }
})

interface Fleet {
  readonly database: DynamodbServer
  readonly namingKey: Buffer
  readonly table: string
  /** Every token that its server issued. */
  readonly tokens: readonly string[]
  ask(
    connection: string,
    parameters: Readonly<Record<string, string>>,
    query?: string,
  ): Promise<Record<string, unknown>>
  /** Starts one more process. */
  another(): Promise<Fleet['ask']>
  items(): Promise<Item[]>
  put(item: Item): Promise<void>
}

/** The function with a table and with new keys. With `beside`, it uses that fleet's database. */
async function startFleet(t: TestContext, beside?: Fleet): Promise<Fleet> {
  const database = beside?.database ?? (await startDynalite(t))
  if (!beside) pointSdkAt(t, database.endpoint)
  const table = beside ? `${tableName}-2` : tableName
  await database.createTable(table)
  const tokens: string[] = []
  const { workspace } = await startIssueTokenWithScriptedServer(t, someElements, ({ form }) => {
    const password = form.get('password')
    if (password !== null && password !== user.password) {
      const description = `no user ${form.get('username')} with this password may have ${form.get('scope')}`
      return { status: 400, body: { error: 'invalid_grant', error_description: description } }
    }
    const answer = tokenAnswer({ ...passedOn, access_token: `canary-token-${randomBytes(16).toString('hex')}` })
    tokens.push((answer.body as { access_token: string }).access_token)
    return answer
  })
  const namingKey = randomBytes(32)
  const encryptionKeys = [{ kid: 'the-kid', k: randomBytes(32).toString('base64url') }]
  const keys = { namingKey: namingKey.toString('base64url'), encryptionKeys }
  await writeSecret(workspace, 'cache', JSON.stringify(keys))
  const environment = {
    TOKENWELL_CACHE: `dynamodb:${table}`,
    TOKENWELL_MEMORY_SECONDS: '0',
    TOKENWELL_CACHE_BUDGET_MILLISECONDS: '10000',
  }
  const another = async (): Promise<Fleet['ask']> => {
    const caller = await startCaller(workspace, environment)
    return async (connection, parameters, query) =>
      (await caller.http(tokenRequest(connection, new URLSearchParams(parameters).toString(), query))).body
  }
  return {
    ...{ database, namingKey, table, tokens, another },
    ask: await another(),
    async items() {
      return (await database.client.send(new ScanCommand({ TableName: table }))).Items ?? []
    },
    async put(item) {
      await database.client.send(new PutItemCommand({ TableName: table, Item: item }))
    },
  }
}

function someElements(issuer: string) {
  const elements = exampleElements(issuer, { server: { coolDownSeconds: 60 } })
  const config = elements['oAuthConfig']?.['theConfig']
  const requestMay = { scope: true, resource: true, audience: true, tenant: true }
  return {
    ...elements,
    oAuthConfig: {
      theConfig: { ...config, requestMay, passOn: 'instance_url' },
      ofUsers: { ...config, grantType: 'password' },
      onBehalf: { ...config, grantType: 'token-exchange' },
    },
    endpointConnection: {
      ...elements['endpointConnection'],
      other: { authenticationConfigRef: 'theConfig' },
      'of-users': { authenticationConfigRef: 'ofUsers' },
      'on-behalf': { authenticationConfigRef: 'onBehalf' },
    },
  }
}

/** Every text of an item. Encoded text is also returned decoded. */
function textsOf(item: Item): string[] {
  const texts = [JSON.stringify(item), ...Object.values(item).flatMap(({ S: text = '' }) => text.split(/[./#]/))]
  return texts.flatMap((text) => [text, Buffer.from(text, 'base64url').toString('latin1')])
}

async function tokenNames({ items }: Fleet): Promise<string[]> {
  return (await items()).flatMap(({ name }) => (name?.S?.includes('/token#') ? [name.S] : []))
}

/** A token's id ends like the name of its record. */
function tokenIdIn({ S: name = '' }: AttributeValue, { token_id: id }: Record<string, unknown>): boolean {
  return name.endsWith(String(id).split('.')[1] ?? '-')
}
