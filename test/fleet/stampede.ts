import assert from 'node:assert/strict'
import type { JsonWebKey } from 'node:crypto'
import type { Socket } from 'node:net'
import { type TestContext, test } from 'node:test'
import { createServerCertificate } from '../../infra/local/certificate-authority.ts'
import { clientsOf, localConnections } from '../../infra/local/workspace.ts'
import { batchesOf } from '../../lib/base/semaphore.ts'
import { exampleElements, type RawElements } from '../support/elements/elements.ts'
import { type ScriptedAnswer, tokenAnswer } from '../support/functions/issue-token-with-scripted-server.ts'
import {
  allAnswers,
  failureOf,
  longest,
  tokensIn,
  type Worker,
  type WorkerAnswer,
} from '../support/process/fleet-of-processes.ts'
import { type ReceivedRequest, startScriptedTokenEndpoint } from '../support/servers/scripted-token-endpoint.ts'
import {
  createStrictJwtBearer,
  type JwtBearerRules,
  type StrictJwtBearer,
} from '../support/servers/strict-jwt-bearer.ts'
import { callers, processes, type StartBackend, startSharedFleet } from './shared-fleet.ts'

/*
 * Each grant meets each death of the holder of its lease, all in one fleet. Every cell of this table is a connection of its own.
 * All callers of all processes ask at once.
 */

interface GrantCase {
  /** The attributes of its `oAuthConfig`. */
  readonly oAuth?: Readonly<Record<string, unknown>>
  /** Those of its `authToken`. */
  readonly authToken?: Readonly<Record<string, unknown>>
  /** Whether it is a further token of a connection, which its callers name. */
  readonly isFurther?: boolean
  /** What a caller adds to the request. */
  readonly caller?: Readonly<Record<string, string>>
}

const byAssertion = { jwtAuthenticationTokenRef: 'theTokenConfig' }

const authToken = {
  ...byAssertion,
  header: 'X-Token',
  tokenRequest: { credentialLocation: 'header' },
  tokenResponse: { tokenLocation: 'body', responseFormat: 'JSON', tokenPath: 'access_token' },
}

const grants: Readonly<Record<string, GrantCase>> = {
  client_credentials: { oAuth: byAssertion },
  'jwt-bearer': { oAuth: { grantType: 'jwt-bearer', assertionTokenRef: 'theTokenConfig' } },
  'token-exchange': { oAuth: { grantType: 'token-exchange', subjectTokenRef: 'theTokenConfig' } },
  account_credentials: {
    oAuth: { ...byAssertion, grantType: 'account_credentials', parameters: { account_id: 'an-account' } },
  },
  password: { oAuth: { ...byAssertion, grantType: 'password' }, caller: { password: 'the password of this user' } },
  authToken: { authToken },
  'another token of a connection': { authToken, isFurther: true },
}

/** When the holder of the lease dies, and the requests that the server has got in the end. */
const deaths = {
  never: 1,
  'while it connects': 1,
  'while it waits for the answer': 2,
  'before it has written the token': 2,
  'after it has written the token': 1,
} as const

type Death = keyof typeof deaths

interface Cell extends GrantCase {
  readonly grant: string
  readonly death: Death
  readonly connection: string
}

const cells: readonly Cell[] = Object.entries(grants).flatMap(([grant, each]) =>
  Object.keys(deaths).map((death) => ({
    ...each,
    grant,
    death: death as Death,
    connection: `${grant}-${death}`.replaceAll(' ', '-'),
  })),
)

const cellsOf = (death: Death) => cells.filter((cell) => cell.death === death)

/**
 * Two grants at a time, because an emulator of DynamoDB takes only so many reads. All holders die at once: the first wave waits for
 * the end of their leases, the next ones find it over. Each death begins with other grants.
 */
function wavesOf(death: Death): Cell[][] {
  const its = cellsOf(death)
  const first = (2 * Object.keys(deaths).indexOf(death)) % its.length
  const inOrder = [...its.slice(first), ...its.slice(0, first)]
  return [...batchesOf(inOrder, 2)]
}

/** What one caller sends. Each connection has a user of its own, because a caller may try a user's password three times a minute. */
function eventOf({ connection, caller, isFurther }: Cell): object {
  const named = isFurther && { authentication: connection }
  return { connection, ...named, ...(caller && { username: `user-of-${connection}`, ...caller }) }
}

const oneEach = (death: Death) => ({ event: cellsOf(death).map(eventOf), callers: 1 })

/**
 * Each connection has a token endpoint of its own, which tells the server's side of the cell.
 * @param silent the origin of a server that takes connections and says nothing, at first
 */
function elementsOf(issuer: string, silent: string): RawElements {
  const { authorizationServer, oAuthConfig, endpointConnection: _, ...elements } = exampleElements(issuer)
  const { theServer } = authorizationServer ?? {}
  const named = (
    element: (cell: Cell) => Record<string, unknown> | undefined,
  ): Record<string, Record<string, unknown>> =>
    Object.fromEntries(
      cells.flatMap((cell) => {
        const attributes = element(cell)
        return attributes ? [[cell.connection, attributes]] : []
      }),
    )
  const ofServers = named(({ connection, death }) => ({
    ...theServer,
    // The lease is as long. Only those who wait for a dead holder's lease need a short one.
    ...((death === 'never' || death === 'after it has written the token') && { receiveTimeout: '20s' }),
    tokenEndpoint: `${death === 'while it connects' ? silent : issuer}/${connection}`,
  }))
  return {
    ...elements,
    authorizationServer: { ...authorizationServer, ...ofServers },
    oAuthConfig: {
      ...oAuthConfig,
      ...named(({ connection, oAuth }) => oAuth && { ...oAuth, authServerRef: connection }),
    },
    authToken: named((cell) => cell.authToken && { ...cell.authToken, authServerRef: cell.connection }),
    endpointConnection: named(({ connection, isFurther }) => ({
      authenticationConfigRef: isFurther ? ['theConfig', connection] : connection,
      directInvocation: true,
    })),
  }
}

/** What the strict server of the grant jwt-bearer demands of `exampleElements`. */
function rulesFor(issuer: string): JwtBearerRules {
  return {
    sources: ['RFC 7523 section 3'],
    algorithms: ['RS256'],
    audience: issuer,
    issuer: 'theClient',
    subject: 'theClient',
    longestSeconds: 120,
    issuedWithinSeconds: 60,
    demandsKeyId: true,
    otherClaims: ['iat', 'jti'],
    answer: () => ({ expires_in: 300 }),
  }
}

export function testStampede(name: string, startBackend: StartBackend): void {
  test(`${name}: ${processes} cold processes with ${callers} callers each make one token request, for each grant and each death of the holder`, async (t) => {
    const stage = await setStage(t, startBackend)
    if (!stage) return
    const { fleet, requestsOf, dies } = stage
    for (const death of Object.keys(deaths) as Death[])
      await t.test(`${name}: a holder that dies ${death}`, async (t) => {
        await dies[death]()
        const answers: WorkerAnswer[] = []
        for (const wave of wavesOf(death)) {
          const everybody = { event: wave.map(eventOf), callers }
          answers.push(...allAnswers(await Promise.all(fleet.workers.map((worker) => worker.call(everybody)))))
        }
        t.diagnostic(
          `the last of ${answers.length} answers after ${longest(answers)}; a lease is for 12 s, and 1 s of grace`,
        )
        for (const { grant, connection } of cellsOf(death)) {
          const its = answers.filter((answer) => answer.connection === connection)
          assert.deepEqual(its.map(failureOf).filter(Boolean), [], grant)
          assert.deepEqual([its.length, tokensIn(its)], [processes * callers, 1], grant)
          const requests = requestsOf(connection)
          assert.equal(requests.length, deaths[death], grant)
          assert.equal(
            new Set(requests.map(({ jwtId }) => jwtId)).size,
            requests.length,
            `${grant}: an assertion twice`,
          )
          const first = its.filter(({ source }) => source === 'server').length
          assert.equal(first, death === 'after it has written the token' ? 0 : callers, `${grant}: not one process`)
        }
      })
  })
}

async function setStage(t: TestContext, startBackend: StartBackend) {
  const certificate = await createServerCertificate(['localhost'])
  const connecting = createGate(cellsOf('while it connects').length)
  const unanswered = createGate(cellsOf('while it waits for the answer').length)
  const answered = createGate(cellsOf('before it has written the token').length)
  const cacheIsHeld = Promise.withResolvers<void>()
  const sockets: Socket[] = []
  let strict: StrictJwtBearer | undefined

  const cellOf = ({ url }: ReceivedRequest) => cells.find(({ connection }) => url === `/${connection}`)
  const answerTo = (request: ReceivedRequest): ScriptedAnswer =>
    cellOf(request)?.grant === 'jwt-bearer' && strict ? strict.answerTo(request) : tokenAnswer()

  const silent = await startScriptedTokenEndpoint(answerTo, {
    certificate,
    takesOver(socket) {
      if (connecting.isPassed()) return false
      sockets.push(socket)
      connecting.arrive()
      return true
    },
  })
  t.after(() => silent.close())

  const fleet = await startSharedFleet(t, startBackend, (issuer) => elementsOf(issuer, silent.issuer), {
    certificate,
    answer(response, _index, request): ScriptedAnswer | undefined {
      const { death } = cellOf(request) ?? {}
      if (death === 'while it waits for the answer' && unanswered.arrive()) return undefined
      const answer = answerTo(request)
      if (death !== 'before it has written the token' || !answered.arrive()) return answer
      void cacheIsHeld.promise.then(() => response.writeHead(answer.status ?? 200).end(JSON.stringify(answer.body)))
      return undefined
    },
  })
  if (!fleet) return undefined
  const { more, startProxy, backend, requests, workspace, issuer } = fleet
  strict = createStrictJwtBearer(rulesFor(issuer))
  const clients = await clientsOf(workspace, await localConnections(workspace, issuer))
  strict.register(clients.flatMap(({ jwks }) => (jwks?.keys ?? []) as JsonWebKey[]))

  /** Instances beside the fleet that take the leases of all grants and end, each at its step. */
  const dies: Record<Death, () => Promise<void>> = {
    never: async () => {},
    'while it connects': () => die('while it connects', connecting.passed),
    'while it waits for the answer': () => die('while it waits for the answer', unanswered.passed),
    async 'before it has written the token'() {
      const proxy = await startProxy()
      const worker = await startOne(backend.environment(proxy.port))
      const asked = oneEach('before it has written the token')
      const diesAfter = { event: 'token_obtained', times: asked.event.length } as const
      worker.call({ ...asked, diesAfter }).catch(() => {})
      await answered.passed
      proxy.hold()
      cacheIsHeld.resolve()
      await worker.ended
    },
    async 'after it has written the token'() {
      const worker = await startOne()
      await worker.call(oneEach('after it has written the token'))
      worker.signal('SIGKILL')
    },
  }

  async function die(death: Death, arrived: Promise<void>): Promise<void> {
    const worker = await startOne()
    worker.call(oneEach(death)).catch(() => {})
    await arrived
    worker.signal('SIGKILL')
    await worker.ended
  }

  async function startOne(changed: Readonly<Record<string, string>> = {}): Promise<Worker> {
    const [worker] = await more(1, changed)
    assert(worker)
    return worker
  }

  return {
    fleet,
    dies,
    requestsOf: (connection: string) => [...requests, ...silent.requests].filter(({ url }) => url === `/${connection}`),
  }
}

/** So many pass through it together. Those who come later find it open. */
function createGate(size: number) {
  const { promise: passed, resolve } = Promise.withResolvers<void>()
  let arrived = 0
  return {
    passed,
    isPassed: () => arrived >= size,
    /** False for those who come later. */
    arrive(): boolean {
      if (++arrived === size) resolve()
      return arrived <= size
    },
  }
}
