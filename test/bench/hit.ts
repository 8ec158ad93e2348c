import middy from '@middy/core'
import httpHeaderNormalizer from '@middy/http-header-normalizer'
import httpRouter from '@middy/http-router'
import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2 } from 'aws-lambda'
import { createLocalContext } from '../../infra/local/http-gateway.ts'
import { createPowertoolsLog } from '../../lib/adapters/log/powertools.ts'
import { exampleElements } from '../support/elements/elements.ts'
import { createBareWorkspace, createHttpEvent, loadFunction, tokenRequest } from '../support/functions/load-function.ts'
import type { FarEnd } from './far-end.ts'
import { createHitFloor } from './floors.ts'
import { createPeer, peerNames } from './peers.ts'
import { shown } from './picture.ts'
import type { Report } from './report.ts'
import { type Figures, measure, type Subject } from './rounds.ts'
import { type CleanUp, createTokenwell, tellAll, telling } from './tokenwell.ts'

/* The cost of a token that is already in the process. */

const sizes = [10, 100, 1_000, 10_000] as const
const [few, , , many] = sizes
const floor = 'floor: JSON.stringify, Map.get, clock'
const ours = (size: number) => `Tokenwell, ${size} tokens`

export async function benchHit(t: CleanUp, farEnd: FarEnd, isShort: boolean): Promise<Report> {
  await farEnd.set({})
  const subjects: Subject[] = [{ name: floor, call: createHitFloor(many) }]
  for (const size of sizes) {
    const getToken = await createTokenwell(t, farEnd, 'ES256')
    const call = (index: number) =>
      getToken(
        { caller: 'direct', connection: 'conn', scope: [`scope-${index % size}`], further: {} },
        Date.now() + 25_000,
      )
    for (let index = 0; index < size; index++) await call(index)
    subjects.push({ name: ours(size), call })
  }
  for (const name of peerNames) {
    const { heldToken } = await createPeer(name, farEnd.issuer, 'ES256')
    if (!heldToken) continue
    await heldToken()
    subjects.push({ name, call: heldToken })
  }
  const rounds = isShort ? 1 : 15
  const figures = await measure(subjects, { rounds, callsPerRound: isShort ? 1_000 : 20_000, isEachTimed: false })
  const of = medians(figures)
  const names = subjects.map(({ name }) => name)
  return {
    title: 'A hit in the process',
    name: 'hit',
    notes: [
      `Each call runs the whole of \`get-token\`, without its log. The next table includes the log. There are ${rounds} rounds of 20,000 calls, which use all tokens in turn.`,
      'The floor makes a key from its request, as Tokenwell does.',
      'The other clients keep one token. openid-client, oauth4webapi, simple-oauth2 and axios-oauth-client keep no token.',
    ],
    table: {
      columns: ['', 'median, us', 'least, us', 'times the floor'],
      rows: names.map((name) => [
        name,
        shown(of(name)),
        shown(figures.get(name)?.minimum ?? Number.NaN),
        ratio(of(name), of(floor)),
      ]),
    },
    bars: [
      { what: `${ours(few)}, as a multiple of the floor`, is: of(ours(few)) / of(floor), atMost: 5 },
      { what: `${ours(many)}, as a multiple of the floor`, is: of(ours(many)) / of(floor), atMost: 5 },
    ],
    picture: {
      unit: 'us, median',
      lengths: names.map((label) => ({ label, value: of(label), isOurs: label.startsWith('Tokenwell') })),
    },
  }
}

const handlerFloor = 'floor: a handler that answers a constant'
const ourHandler = 'issue-token'

export async function benchHandlerHit(t: CleanUp, farEnd: FarEnd, isShort: boolean): Promise<Report> {
  await farEnd.set({})
  const elements = exampleElements(farEnd.issuer, { builder: { signatureAlgorithm: 'ES256' } })
  const workspace = await createBareWorkspace(t, elements, farEnd.certificate)
  tellAll()
  const issueToken = await loadFunction('issue-token', workspace, telling)
  const request = { ...tokenRequest('conn', 'scope=orders'), headers: requestHeaders }
  // A new event each time, as Lambda's runtime parses it, because middlewares change it.
  const event = () => createHttpEvent(request) as APIGatewayProxyEventV2
  const context = createLocalContext(Date.now())
  const first = (await issueToken(event(), context)) as APIGatewayProxyStructuredResultV2
  if (first.statusCode !== 200) throw new Error(`issue-token answers ${first.body}`)
  const constant = constantHandler(first)

  const subjects: Subject[] = [
    { name: handlerFloor, call: async () => constant(event(), context) },
    { name: ourHandler, call: () => issueToken(event(), context) },
  ]
  const rounds = isShort ? 1 : 15
  const figures = await measure(subjects, { rounds, callsPerRound: isShort ? 200 : 3_000, isEachTimed: false })
  const of = medians(figures)
  return {
    title: 'A hit through the function',
    name: 'handler-hit',
    notes: [
      `Each call takes an event and returns an answer. There are ${rounds} rounds of 3,000 calls.`,
      'The floor is middy with its own router and header normalizer. It has the same routes, and writes the same log line and metrics. It answers a constant of the same size.',
    ],
    table: {
      columns: ['', 'median, us', 'least, us', 'times the floor'],
      rows: subjects.map(({ name }) => [
        name,
        shown(of(name)),
        shown(figures.get(name)?.minimum ?? Number.NaN),
        ratio(of(name), of(handlerFloor)),
      ]),
    },
    bars: [{ what: `\`${ourHandler}\`, as a multiple of the floor`, is: of(ourHandler) / of(handlerFloor), atMost: 3 }],
    picture: {
      unit: 'us, median',
      lengths: subjects.map(({ name }) => ({ label: name, value: of(name), isOurs: name === ourHandler })),
    },
  }
}

/** The headers of a signed request from curl. */
const requestHeaders = {
  accept: '*/*',
  authorization: `AWS4-HMAC-SHA256 Credential=${'A'.repeat(20)}/20261129/eu-central-1/execute-api/aws4_request`,
  'content-type': 'application/x-www-form-urlencoded',
  host: 'example.execute-api.eu-central-1.amazonaws.com',
  'user-agent': 'curl/8.10.1',
  'x-amz-date': '20261129T120000Z',
  'x-forwarded-for': '192.0.2.1',
  'x-forwarded-port': '443',
  'x-forwarded-proto': 'https',
}

function constantHandler(answer: APIGatewayProxyStructuredResultV2) {
  const log = createPowertoolsLog('bench')
  const answerIt = async () => {
    log({
      event: 'token_issued',
      caller: 'direct',
      connection: 'conn',
      tokenId: 'x',
      source: 'memory',
      secondsLeft: 3_570,
    })
    return { ...answer }
  }
  const routes = [
    { method: 'POST', path: '/connections/{connection}/token', handler: answerIt },
    { method: 'DELETE', path: '/connections/{connection}/token', handler: answerIt },
    { method: 'GET', path: '/connections', handler: answerIt },
  ] as const
  const router = httpRouter<APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2>({ routes: [...routes] })
  return middy(router).use(httpHeaderNormalizer())
}

function medians(figures: ReadonlyMap<string, Figures>): (name: string) => number {
  return (name) => figures.get(name)?.median ?? Number.NaN
}

function ratio(value: number, floorValue: number): string {
  return (value / floorValue).toFixed(2)
}
