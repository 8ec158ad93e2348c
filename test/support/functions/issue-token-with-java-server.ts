import { randomUUID } from 'node:crypto'
import type { TestContext } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import type { ClientMetadata } from 'oidc-provider'
import { clientsOf, localConnections, type Workspace } from '../../../infra/local/workspace.ts'
import type { LogEvent } from '../../../lib/log/log-event.ts'
import { type ElementChanges, exampleElements, type RawElements } from '../elements/elements.ts'
import { captureLog } from '../output/captured-log.ts'
import type { ConfigurableAuthorizationServer } from '../servers/configurable-authorization-server.ts'
import { type Caller, createWorkspace, type HttpAnswer, startCaller } from './function-caller.ts'
import { type GivenSecrets, tokenRequest } from './load-function.ts'

/** The function in front of such a server. The server knows the clients of its connections. */
export interface IssueTokenWithJavaServer extends Caller {
  /** The client as the server knows it. */
  client(id?: string): ClientMetadata
  /** A token that no earlier request got. */
  newToken(connection?: string): Promise<HttpAnswer>
  /** Asks until it gets such a token, for as long as cool-downs can last. */
  newTokenAtLast(): Promise<HttpAnswer>
  /** The requests that the server refused or left unanswered, one line each. */
  failures(): string[]
  readonly events: readonly LogEvent[]
}

export interface IssueTokenWithJavaServerOptions {
  readonly secrets?: GivenSecrets
  readonly environment?: Record<string, string>
  /** Changes a client's registration, which otherwise follows from the connections' elements and secrets. */
  readonly describe?: (client: ClientMetadata, workspace: Workspace) => ClientMetadata | Promise<ClientMetadata>
}

const longestCoolDownsMilliseconds = 60_000

/** Elements of one working connection at that server, with changes. */
export function elementsAt(
  { issuer, tokenEndpoint }: ConfigurableAuthorizationServer,
  { server, oAuth, ...changes }: ElementChanges = {},
): RawElements {
  return exampleElements(issuer, {
    ...changes,
    // Long enough for a busy machine, and short enough for a second request before the caller's deadline.
    server: { tokenEndpoint, connectionTimeout: '4s', receiveTimeout: '12s', coolDownSeconds: 1, ...server },
    oAuth: { jwtAuthenticationSetClientId: true, ...oAuth },
  })
}

/** Starts the function, and registers the clients of its connections. */
export async function startIssueTokenWithJavaServer(
  t: TestContext,
  server: ConfigurableAuthorizationServer,
  elements: RawElements,
  { secrets, environment, describe = (client) => client }: IssueTokenWithJavaServerOptions = {},
): Promise<IssueTokenWithJavaServer> {
  const workspace = await createWorkspace(t, elements, server.certificate, secrets)
  const connections = await localConnections(workspace, new URL(server.issuer).origin)
  const clients: ClientMetadata[] = []
  for (const client of await clientsOf(workspace, connections)) clients.push(await describe(client, workspace))
  for (const client of clients) await server.register(client)

  const caller = await startCaller(workspace, environment)
  const events = captureLog(t)
  const newToken = (connection = 'conn') => caller.http(tokenRequest(connection, `audience=${randomUUID()}`))
  return {
    ...caller,
    events,
    client: (id = 'theClient') => clients.find(({ client_id }) => client_id === id) ?? { client_id: id },
    newToken,
    async newTokenAtLast() {
      const giveUpAt = Date.now() + longestCoolDownsMilliseconds
      for (;;) {
        const answer = await newToken()
        if (answer.status === 200 || Date.now() > giveUpAt) return answer
        await pause(500)
      }
    },
    failures: () =>
      events.flatMap((event) => (event.event === 'token_request_failed' ? [`${event.connection}: ${event.code}`] : [])),
  }
}
