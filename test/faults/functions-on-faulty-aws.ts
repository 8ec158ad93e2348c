import type { TestContext } from 'node:test'
import { type ElementChanges, exampleElements } from '../support/elements/elements.ts'
import { contextFor } from '../support/functions/alias.ts'
import {
  type IssueTokenWithScriptedServer,
  startIssueTokenWithScriptedServer,
  tokenAnswer,
} from '../support/functions/issue-token-with-scripted-server.ts'
import { type Handler, loadFunction } from '../support/functions/load-function.ts'
import { overhearAnswer } from '../support/output/canary.ts'
import { type FaultyAws, startFaultyAws } from './faulty-aws.ts'

type FunctionName = Parameters<typeof loadFunction>[0]

/** Everything that a function needs, with faults on demand, and a token endpoint that always works. */
export interface FunctionsOnFaultyAws extends FaultyAws {
  readonly server: IssueTokenWithScriptedServer
  /** Loads another instance. */
  load(name: FunctionName, environment?: Record<string, string>): Promise<Handler>
  /** The number of token requests for that scope. */
  requestsFor(scope: string): number
  /** Called at each token request, before its answer. */
  onRequest(act: () => void): void
}

export interface Answer {
  readonly outcome: string
  readonly token: unknown
  readonly milliseconds: number
}

export interface Asked {
  /** How much of the function's time is left. */
  readonly milliseconds?: number
  /** The token that the caller got before the fault. */
  readonly before?: unknown
}

/** For calls that must succeed, however slow the machine is. */
export const patient = { TOKENWELL_CACHE_BUDGET_MILLISECONDS: '10000' }

/** Undefined if moto is not installed. */
export async function startFunctionsOnFaultyAws(
  t: TestContext,
  changes: ElementChanges = {},
): Promise<FunctionsOnFaultyAws | undefined> {
  const aws = await startFaultyAws(t)
  if (!aws) return undefined
  let act = () => {}
  const elements = (issuer: string) => exampleElements(issuer, { builder: { signatureAlgorithm: 'ES256' }, ...changes })
  const server = await startIssueTokenWithScriptedServer(t, elements, () => {
    act()
    return tokenAnswer()
  })
  const moved = await aws.move(server.workspace)
  return {
    ...aws,
    server,
    load: (name, environment) => loadFunction(name, server.workspace, { ...moved, ...environment }),
    requestsFor: (scope) => server.requests.filter(({ form }) => form.get('scope') === scope).length,
    onRequest(then) {
      act = then
    },
  }
}

/** One direct invocation for a token with that scope. */
export async function ask(
  handler: Handler,
  scope: string,
  { milliseconds = 25_000, before }: Asked = {},
): Promise<Answer> {
  const startedAt = performance.now()
  const answer = (await invoke(handler, { connection: 'conn', scope }, milliseconds)) as Record<string, unknown>
  overhearAnswer(answer)
  const token = answer['access_token']
  const name = token === before ? 'the same token' : 'a new token'
  return {
    outcome: token === undefined ? `${answer['status']} ${answer['error']}` : name,
    token,
    milliseconds: performance.now() - startedAt,
  }
}

export function invoke(handler: Handler, event: unknown, milliseconds: number): Promise<unknown> {
  return handler(event, { ...contextFor(event), getRemainingTimeInMillis: () => milliseconds })
}
