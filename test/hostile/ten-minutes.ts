import type { TestContext } from 'node:test'
import { undiciTokenEndpoint } from '../../lib/adapters/http/undici-token-endpoint.ts'
import type { LocatedServer, ServedConnection } from '../../lib/configuration/connection.ts'
import { jwtBearer, tokenExchange, tokenTypesByShortName } from '../../lib/configuration/grant-type.ts'
import { CoolingDownError, causeOf } from '../../lib/get-token/token-error.ts'
import { Secret } from '../../lib/secret/secret.ts'
import { createSecretCache } from '../../lib/secret/secret-cache.ts'
import type { SignerCache } from '../../lib/signing/signer-cache.ts'
import type { TokenEndpoint, TokenEndpointAnswer } from '../../lib/token-endpoint/token-endpoint.ts'
import { resolveConn } from '../support/elements/element-store.ts'
import { plainAssertion, plainConnection } from '../support/elements/plain-connection.ts'
import { startScriptedTokenEndpoint } from '../support/servers/scripted-token-endpoint.ts'
import { singleVersionSecrets } from '../support/virtual/secret-stores.ts'
import { createTokensInVirtualTime } from '../support/virtual/tokens-in-virtual-time.ts'
import { thePassword, theSigner } from '../support/virtual/virtual-ports.ts'
import { createVirtualTime } from '../support/virtual/virtual-time.ts'
import type { Authority } from './authority.ts'
import type { Behaviour } from './behaviour.ts'

/*
 * How many requests such a server gets in ten minutes, and what the operator reads in the log. The real adapter records
 * the answers of the real server. They are played again on a virtual clock.
 */

export interface TenMinutes {
  readonly requests: number
  /** The reason in the log. Undefined if the first request got a token. */
  readonly told: string | undefined
}

type Outcome = { readonly answer: TokenEndpointAnswer } | { readonly error: unknown }
/** `at` is the second when the server answered. An answer may hold dates, which mean something at that time only. */
type Recorded = Outcome & { readonly at: number }

const tenMinutesMilliseconds = 600_000
/** The time between requests while there is a token. */
const secondsBetween = 30
const atATime = 8
const virtualIssuer = 'https://as.example.com'
const latency = 50
/** A server that answers has more time than a busy machine needs. */
const patience = { connectTimeoutMilliseconds: 30_000, receiveTimeoutMilliseconds: 30_000 }
/**
 * A virtual signer signs the same each time, so an answer that repeats the assertion is recognized when it is played
 * again.
 */
const assertion = await theSigner.sign({ alg: 'none' }, { jti: 'the-only-one', sub: 'theClient' })
const signers: SignerCache = {
  current: () => Promise.resolve({ ...theSigner, sign: () => Promise.resolve(assertion) }),
  previous: () => Promise.resolve(undefined),
  revoke() {},
}

/** A header can have it. */
const password = 'the-only-password'
const secrets = { ...thePassword, get: () => Promise.resolve(new Secret(password)) }
/** What a token server gets: either of them, by its elements. */
const credentials = {
  authorization: new Secret(`Bearer ${assertion.reveal()}`),
  'x-password': new Secret(password),
}

function createRecorder({ caCertificate }: Authority): TokenEndpoint {
  const secrets = singleVersionSecrets(() => Promise.resolve(new Secret(caCertificate)))
  return undiciTokenEndpoint(createSecretCache(secrets, Date.now), Date.now)
}

/**
 * Records all behaviours before it plays any, because waiting for a real server would hold up a virtual clock.
 * @param elsewhere the origin of another server
 */
export async function spendTenMinutes(
  t: TestContext,
  behaviours: readonly Behaviour[],
  authority: Authority,
  elsewhere: string,
): Promise<ReadonlyMap<string, TenMinutes>> {
  const recorder = createRecorder(authority)
  const recordings = new Map<Behaviour, readonly Recorded[]>()
  const waiting = [...behaviours]
  const work = async () => {
    for (let next = waiting.shift(); next; next = waiting.shift())
      recordings.set(next, await record(await connectionOf(t, next), next, recorder, authority, elsewhere))
  }
  await Promise.all(Array.from({ length: atATime }, work))
  const found = new Map<string, TenMinutes>()
  for (const behaviour of behaviours)
    found.set(behaviour.name, await play(recordings.get(behaviour) ?? [], await connectionOf(t, behaviour)))
  return found
}

async function record(
  { grant }: ServedConnection,
  behaviour: Behaviour,
  recorder: TokenEndpoint,
  authority: Authority,
  elsewhere: string,
): Promise<readonly Recorded[]> {
  const { script, endpoint, form = '', outcome, requests, hangs = false } = behaviour
  const options = { certificate: await authority.issue(), ...(await endpoint?.(authority)) }
  let at = secondOf(Date.now())
  const server = await startScriptedTokenEndpoint((request, response, index) => {
    at = secondOf(Date.now())
    return script(request, response, index, elsewhere)
  }, options)
  const fields = new URLSearchParams(form)
  const isOfTokenServer = grant.type === 'authToken'
  for (const parameter of isOfTokenServer ? [] : parametersOf(behaviour)) fields.set(parameter, assertion.reveal())
  const resolved = { ...serverOf(behaviour, server.issuer), ...(!hangs && patience) }
  const { connectTimeoutMilliseconds, receiveTimeoutMilliseconds } = resolved
  const request = {
    connection: 'conn',
    ...(isOfTokenServer && { answerHeaders: ['x-token', 'x-expires'] }),
    write: async () => ({ headers: isOfTokenServer ? credentials : {}, form: new Secret(`${fields}`) }),
    timeouts: {
      receiveMilliseconds: receiveTimeoutMilliseconds,
      totalMilliseconds: connectTimeoutMilliseconds + receiveTimeoutMilliseconds,
    },
  }
  const recorded: Recorded[] = []
  // Only a server that recovers by itself changes its answers.
  const most = outcome.startsWith('200') && requests > 1 ? requests + 1 : 1
  while (recorded.length < most) {
    const got = await recorder.post(resolved, request).then(
      (answer): Outcome => ({ answer }),
      (error: unknown): Outcome => ({ error }),
    )
    recorded.push({ ...got, at })
  }
  server.close()
  return recorded
}

/** `Date` and `Retry-After` have whole seconds. */
function secondOf(milliseconds: number): number {
  return Math.floor(milliseconds / 1_000) * 1_000
}

/** The parameters that carry a JWT. */
function parametersOf({ changes }: Behaviour): readonly string[] {
  const { grantType } = changes?.oAuth ?? {}
  if (grantType === 'jwt-bearer') return ['assertion']
  return grantType === 'token-exchange' ? ['subject_token', 'actor_token'] : ['client_assertion']
}

async function connectionOf(t: TestContext, behaviour: Behaviour): Promise<ServedConnection> {
  if (!behaviour.elements) return connectionOfGrant(behaviour)
  const resolved = await resolveConn(t, behaviour.elements(virtualIssuer))
  return {
    ...resolved,
    authorizationServer: { ...serverOf(behaviour, virtualIssuer), lifetime: resolved.authorizationServer.lifetime },
  }
}

function connectionOfGrant(behaviour: Behaviour): ServedConnection {
  const { grantType, passOn } = behaviour.changes?.oAuth ?? {}
  const connection = {
    ...plainConnection,
    authorizationServer: serverOf(behaviour, virtualIssuer),
    ...(passOn !== undefined && { passOn: passOn as readonly string[] }),
  }
  const made = plainAssertion()
  const clientAuthentication = { method: 'none', sendClientId: false } as const
  if (grantType === 'jwt-bearer')
    return { ...connection, clientAuthentication, grant: { type: jwtBearer, assertion: made, assertionParameters: {} } }
  if (grantType !== 'token-exchange') return connection
  const { jwt: type, access_token: requested_token_type } = tokenTypesByShortName
  return {
    ...connection,
    clientAuthentication,
    grant: { type: tokenExchange, subject: { type, assertion: made }, actor: { type, assertion: made } },
    parameters: { ...connection.parameters, further: { requested_token_type } },
  }
}

function serverOf({ changes }: Behaviour, issuer: string): LocatedServer {
  const milliseconds = (attribute: string, otherwise: number) =>
    Number.parseInt(String(changes?.server?.[attribute] ?? otherwise), 10)
  const tokenTypes = changes?.server?.['tokenTypes'] as readonly string[] | undefined
  return {
    ...plainConnection.authorizationServer,
    tokenEndpoint: `${issuer}/token`,
    tls: { minimumVersion: 'TLSv1.2', trustStore: 'the-ca' },
    connectTimeoutMilliseconds: milliseconds('connectionTimeout', 3_000),
    receiveTimeoutMilliseconds: milliseconds('receiveTimeout', 8_000),
    ...(tokenTypes && { tokenTypes }),
  }
}

const played = new Map<string, Promise<TenMinutes>>()

/** Behaviours that differ only in their tokens are played once. */
async function play(recorded: readonly Recorded[], connection: ServedConnection): Promise<TenMinutes> {
  const { authorizationServer, grant, passOn } = connection
  const key = JSON.stringify([authorizationServer.tokenTypes, grant, passOn, recorded.map(describeRecorded)])
  const known = played.get(key) ?? playAnew(recorded, connection)
  played.set(key, known)
  return await known
}

function describeRecorded(recorded: Recorded): unknown {
  if ('error' in recorded) return [String(recorded.error), recorded.error]
  const { date, ...answer } = recorded.answer
  const secondsAhead = (Date.parse(date ?? '') - recorded.at) / 1_000
  return JSON.stringify({ ...answer, secondsAhead }).replaceAll(/hostile-token-[0-9a-f-]{36}/g, 'a token')
}

function withOtherToken(answer: TokenEndpointAnswer, index: number, { grant }: ServedConnection): TokenEndpointAnswer {
  const { body, headers } = answer
  if (grant.type !== 'authToken') return { ...answer, body: body.replace(/("access_token":"[^"]+)"/, `$1${index}"`) }
  const other = (text: string) => text.replace(/hostile-token-[0-9a-f-]{36}|eyJ[\w-]+\.[\w-]+\.[\w-]+/, `$&${index}`)
  return {
    ...answer,
    ...(headers && {
      headers: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, other(value)])),
    }),
    body: other(body),
  }
}

/**
 * One caller asks every half minute, and after a failure as soon as `Retry-After` allows. The first request is at the time of its
 * recording, however long ago that is.
 */
async function playAnew(recorded: readonly Recorded[], connection: ServedConnection): Promise<TenMinutes> {
  const [{ at }] = recorded as readonly [Recorded]
  const clock = { aheadMilliseconds: at - createVirtualTime().now() }
  let served = 0
  const { time, get, requests } = createTokensInVirtualTime(
    () => {
      const next = recorded[Math.min(served++, recorded.length - 1)] as Recorded
      if ('error' in next) throw next.error
      return withOtherToken(next.answer, served, connection)
    },
    {
      connection,
      clock,
      latency,
      signers,
      ...(connection.grant.type === 'authToken' && { secrets }),
      memoryMaximumSeconds: 30,
    },
  )
  const reasons: string[] = []
  const end = time.now() + tenMinutesMilliseconds
  while (time.now() < end) {
    const wait = await time.until(
      get().then(
        () => secondsBetween,
        (error: Error) => {
          reasons.push(causeOf(error).message)
          return error instanceof CoolingDownError ? error.retryAfterSeconds : 1
        },
      ),
    )
    await time.advance(Math.min(wait * 1000, end - time.now()))
  }
  return { requests: requests.length, told: reasons[0] }
}
