import { randomBytes } from 'node:crypto'
import type { TestContext } from 'node:test'
import { decodeJwt } from 'jose'
import { mergedElements, sharedElements } from '../elements/token-kinds.ts'
import { plant } from '../output/canary.ts'
import { plantCredentials } from '../output/quotes.ts'
import type { ScriptedAnswer } from '../servers/scripted-token-endpoint.ts'
import {
  type IssueTokenWithScriptedServer,
  startIssueTokenWithScriptedServer,
} from './issue-token-with-scripted-server.ts'
import { type Handler, loadFunction } from './load-function.ts'

/* Connections with several tokens, by one fleet of two instances: one that every caller may use, and one behind a claim. */

/** The tokens of each connection, the main one first. */
export const tokensOfConnections = {
  orders: ['orders-oauth', 'orders-session', 'orders-jwt'],
  stock: ['stock-session', 'stock-jwt'],
  people: ['people-jwt', 'people-session'],
} as const

export type SeveralConnection = keyof typeof tokensOfConnections
export const severalConnections = Object.keys(tokensOfConnections) as SeveralConnection[]
/** Elements that no connection uses as a token. */
export const otherIds = ['stock-user', 'theUser', 'unused-session', 'orders', 'theTokenConfig', 'theBuilder'] as const
export const certificateOfOrders = 'C=DE,O=Example,CN=orders'

export interface SeveralTokens extends IssueTokenWithScriptedServer {
  readonly guarded: Handler
  /** The authentication that the token is of. */
  ofToken(token: string): string | undefined
  /** From now on the server of that authentication answers like this, or fine again. */
  answerOf(authentication: string, answer?: ScriptedAnswer): void
}

const inHeader = (name: string) => ({ header: `x-${name}`, useBearerScheme: false })

function elementsOf(issuer: string) {
  const session = (name: string) => ({
    authServerRef: name,
    jwtAuthenticationTokenRef: 'theTokenConfig',
    tokenResponse: { responseFormat: 'JSON', tokenPath: 'token', expiresPath: 'expires_in' },
    ...inHeader(name),
  })
  const server = (name: string) => ({ tokenEndpoint: `${issuer}/${name}`, issuer })
  const jwt = (name: string) => ({
    ...{ tokenGeneratorRef: 'theBuilder', tokenSubject: name, cacheTokensWithJti: true },
    ...inHeader(name),
  })
  const endpoint = (name: SeveralConnection, more: object) => ({
    authenticationConfigRef: tokensOfConnections[name],
    host: 'https://api.example.com',
    directInvocation: true,
    ...more,
  })
  return mergedElements(sharedElements(issuer), {
    authorizationServer: Object.fromEntries(
      ['orders-oauth', 'orders-session', 'stock-session', 'people-session', 'unused-session'].map((name) => [
        name,
        server(name),
      ]),
    ),
    oAuthConfig: { 'orders-oauth': { authServerRef: 'orders-oauth', jwtAuthenticationTokenRef: 'theTokenConfig' } },
    authToken: Object.fromEntries(
      ['orders-session', 'stock-session', 'people-session', 'unused-session'].map((name) => [name, session(name)]),
    ),
    authTokenLocal: {
      'orders-jwt': jwt('orders-jwt'),
      'stock-jwt': jwt('stock-jwt'),
      'people-jwt': { tokenGeneratorRef: 'theBuilder', claimsFromRequest: { sub: ['alice', 'bob'], role: ['reader'] } },
    },
    authData: { 'stock-user': { user: 'stock', passwordSecret: 'tokenwell/local/stock-password' } },
    endpointConnection: {
      orders: endpoint('orders', { clientCertificateSubjects: [certificateOfOrders] }),
      stock: endpoint('stock', { authenticationConfigRef: [...tokensOfConnections.stock, 'stock-user'] }),
      people: endpoint('people', {}),
    },
  })
}

export async function startSeveralTokens(t: TestContext): Promise<SeveralTokens> {
  const issued = new Map<string, string>()
  const answers = new Map<string, ScriptedAnswer>()
  const set = await startIssueTokenWithScriptedServer(t, elementsOf, (request) => {
    plantCredentials(request, '')
    const name = request.url.slice(1)
    const answer = answers.get(name)
    if (answer) return answer
    const token = `token-${randomBytes(16).toString('hex')}`
    plant(token)
    issued.set(token, name)
    return { body: { token, access_token: token, token_type: 'Bearer', expires_in: 3_600 } }
  })
  const guarded = await loadFunction('issue-token', set.workspace, { TOKENWELL_CONNECTIONS_CLAIM: 'connections' })
  return {
    ...set,
    guarded,
    ofToken: (token) => issued.get(token) ?? (token.startsWith('eyJ') ? authenticationOfJwt(token) : undefined),
    answerOf: (name, answer) => void (answer ? answers.set(name, answer) : answers.delete(name)),
  }
}

/** The subject of a token that Tokenwell signs is its authentication, or a user of `people-jwt`. */
function authenticationOfJwt(token: string): string | undefined {
  const { sub = '' } = decodeJwt(token)
  return sub === 'alice' || sub === 'bob' ? `people-jwt as ${sub}` : sub
}
