import type { Context } from 'aws-lambda'
import { type Caller, knownCallers } from '../../lib/access-token/caller.ts'
import type { Application } from '../../lib/application/application.ts'
import type { Deployment } from '../../lib/configuration/deployment.ts'
import { describeFinding, describeOwnFinding, isMistake } from '../../lib/configuration/finding.ts'
import type { HandedOutToken } from '../../lib/get-token/get-token.ts'
import { ignoreCoolingDown } from '../../lib/get-token/token-error.ts'
import { callerOf, callersClaimsOf, listAccessOf } from '../../lib/http-interface/access.ts'
import type { ConnectionsAnswer, TokenAnswer } from '../../lib/http-interface/answers.ts'
import { createEntrance } from '../../lib/http-interface/entrance.ts'
import { aliasOf, type DirectEntry, type EntrySettings, type UnqualifiedEntry } from '../../lib/http-interface/entry.ts'
import type { ErrorAnswer } from '../../lib/http-interface/error-answer.ts'
import { errorBody, jsonResponse, noStore } from '../../lib/http-interface/error-response.ts'
import { type HttpEvent, type HttpResponse, namedConnection } from '../../lib/http-interface/http-event.ts'
import { createHttpFunction, deadlineOf } from '../../lib/http-interface/http-function.ts'
import { type DiscoveryRoute, discoveryResponse, discoveryRoutes } from '../../lib/http-interface/server-metadata.ts'
import type { Log } from '../../lib/log/log-event.ts'
import { describeConnection } from './describe-connection.ts'
import { readDirectTokenRequest, readHttpTokenRequest, readRejection } from './token-request.ts'

/** The limit for the whole request. An HTTP API waits 30 s for its integration. */
const requestMilliseconds = 25_000

interface HandlerDependencies extends EntrySettings {
  readonly application: Application
  readonly deployment: Pick<Deployment, 'isLambda' | 'publicUrl'>
  readonly now: () => number
  readonly log: Log
  readonly connectionsClaim?: string
}

/** Answers HTTP API events of payload format 2.0 and direct requests. Never throws. */
export function createHandler(dependencies: HandlerDependencies) {
  const { application, deployment, earlierRecords, connectionsClaim, now, log } = dependencies
  const answerHttp = createHttpFunction({
    routes: [
      { method: 'POST', path: '/connections/{connection}/token/?', answer: issue },
      { method: 'POST', path: '/connections/{connection}/as/{subject}/token/?', answer: issue },
      { method: 'DELETE', path: '/connections/{connection}/token/?', answer: reject },
      { method: 'GET', path: '/connections/?', answer: list },
      ...discoveryRoutes(deployment.publicUrl).map((route) => ({
        method: 'GET',
        path: route.path,
        answer: (event: HttpEvent) => describe(route, event),
      })),
    ],
    connectionsClaim,
    application,
    log,
  })
  return createEntrance({ answerHttp, answerDirectly, directErrorAnswer, earlierRecords, log })

  async function issue(event: HttpEvent, context: Context): Promise<HttpResponse> {
    const deadline = deadlineOf(context, now(), requestMilliseconds)
    const callersClaims = callersClaimsOf(event)
    const caller = { caller: callerOf(event, deployment), ...(callersClaims && { callersClaims }) }
    const request = { ...caller, ...readHttpTokenRequest(event) }
    const handedOut = await application.getToken(request, deadline)
    const { headers, ...response } = jsonResponse(200, tokenBody(handedOut))
    return { ...response, headers: { ...headers, ...ignoredHeader(handedOut) } }
  }

  async function reject(event: HttpEvent): Promise<HttpResponse> {
    const { connection, tokenId } = readRejection(event)
    // 204 in all cases: the token was dropped, is gone already, or must stay for a short time.
    await application.rejectToken(connection, tokenId).catch(ignoreCoolingDown)
    return { statusCode: 204, headers: noStore }
  }

  async function list(event: HttpEvent): Promise<HttpResponse> {
    const access = listAccessOf(event, connectionsClaim)
    const { connections, findings } = await application.listConnections(access)
    const mistakes = findings.filter(isMistake).map(describeFinding)
    const describe = access ? describeOwnFinding : describeFinding
    const answer: ConnectionsAnswer = {
      ...(mistakes.length > 0 && { mistakes }),
      connections: connections.map((each) => describeConnection(each, describe)),
    }
    return jsonResponse(200, answer)
  }

  /** A client that may get the tokens of the connection learns here how to ask for them. */
  async function describe(route: DiscoveryRoute, event: HttpEvent): Promise<HttpResponse> {
    const offered = await application.offeredRequests(namedConnection(event.pathParameters['connection']))
    return discoveryResponse(route, event, { publicUrl: deployment.publicUrl, offered, isForEverybody: false })
  }

  async function answerDirectly(
    event: unknown,
    context: Context,
    entry: DirectEntry | UnqualifiedEntry,
  ): Promise<object> {
    const deadline = deadlineOf(context, now(), requestMilliseconds)
    const request = { caller: directCaller(entry), ...readDirectTokenRequest(event, entry) }
    const handedOut = await application.getToken(request, deadline)
    const ignored = shownNames(handedOut)
    return { ...tokenBody(handedOut), ...(ignored.length > 0 && { ignored }) }
  }
}

function directCaller(entry: DirectEntry | UnqualifiedEntry): Caller {
  return entry.kind === 'direct' ? aliasOf(entry.connection) : knownCallers.direct
}

function directErrorAnswer(answer: ErrorAnswer, requestId: string): object {
  const { status, retryAfterSeconds } = answer
  return {
    ...errorBody(answer, requestId),
    status,
    ...(retryAfterSeconds !== undefined && { retry_after: retryAfterSeconds }),
  }
}

/**
 * RFC 6749 section 5.1 and RFC 8693 section 2.2.1, with the id and the source of the token. No passed-on member can replace one of Tokenwell's
 * own.
 */
function tokenBody({ token, source, secondsLeft }: HandedOutToken): TokenAnswer {
  return {
    ...token.passedOn,
    access_token: token.accessToken.reveal(),
    token_type: 'Bearer',
    expires_in: secondsLeft,
    ...(token.scope !== undefined && { scope: token.scope }),
    ...(token.issuedTokenType !== undefined && { issued_token_type: token.issuedTokenType }),
    token_id: token.id,
    source,
  }
}

/** The names of parameters that had no effect, separated by commas. */
function ignoredHeader(handedOut: HandedOutToken): Readonly<Record<string, string>> {
  const names = shownNames(handedOut)
  return names.length === 0 ? {} : { 'tokenwell-ignored': names.join(', ') }
}

const mostShown = 20

/**
 * The names come from the caller. They have only letters, digits, `_`, `.` and `-`. Their number and length are limited to fit into
 * a header.
 */
function shownNames({ ignored }: HandedOutToken): readonly string[] {
  return ignored.slice(0, mostShown).map((name) => name.slice(0, 64))
}
