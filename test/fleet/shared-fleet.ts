import { writeFile } from 'node:fs/promises'
import type { ServerResponse } from 'node:http'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { createServerCertificate, type ServerCertificate } from '../../infra/local/certificate-authority.ts'
import { makeCacheKeys } from '../../infra/local/make-secrets.ts'
import type { RawElements } from '../support/elements/elements.ts'
import {
  type ScriptedAnswer,
  startIssueTokenWithScriptedServer,
  tokenAnswer,
} from '../support/functions/issue-token-with-scripted-server.ts'
import { environmentOf } from '../support/functions/load-function.ts'
import { startFleet } from '../support/process/fleet-of-processes.ts'
import type { ReceivedRequest } from '../support/servers/scripted-token-endpoint.ts'
import { startTcpProxy } from '../support/servers/tcp-proxy.ts'

/** A shared cache, as the function is configured for it. */
export interface Backend {
  readonly port: number
  /** The environment variables that make a function use the cache at that port. */
  environment(port: number): Readonly<Record<string, string>>
  /** What the cache's secret holds in addition to its keys. */
  readonly secret?: object
  /** The number of reads that the cache has served. */
  reads(): Promise<number>
}

export type StartBackend = (t: TestContext) => Promise<Backend | undefined>

export const processes = 16
export const callers = 100
/** With this much time the tests show the lease, and not the speed of the machine. */
const patient = { TOKENWELL_CACHE_BUDGET_MILLISECONDS: '10000' }

export interface SharedFleetOptions {
  readonly size?: number
  readonly environment?: Readonly<Record<string, string>>
  readonly certificate?: ServerCertificate
  readonly answer?: (response: ServerResponse, index: number, request: ReceivedRequest) => ScriptedAnswer | undefined
}

/** Real processes that share only a cache, and a scripted token endpoint. Undefined if the cache is not installed. */
export async function startSharedFleet(
  t: TestContext,
  startBackend: StartBackend,
  elements: (issuer: string) => RawElements,
  options: SharedFleetOptions = {},
) {
  const { size = processes, environment = patient, answer = () => tokenAnswer() } = options
  const { certificate = await createServerCertificate(['localhost']) } = options
  const backend = await startBackend(t)
  if (!backend) return undefined
  const server = await startIssueTokenWithScriptedServer(
    t,
    elements,
    (request, response, index) => answer(response, index, request),
    { certificate },
  )
  const { workspace, requests } = server
  const keys = { ...(JSON.parse(await makeCacheKeys()) as object), ...backend.secret }
  await writeFile(join(workspace.secretsFolder, 'cache'), JSON.stringify(keys))
  const startProxy = () => startTcpProxy(t, backend.port)
  const proxy = await startProxy()
  const variables = { ...environmentOf(workspace), ...backend.environment(proxy.port), ...environment }
  const more = (count: number, changed: Readonly<Record<string, string>> = {}) =>
    startFleet(t, count, { ...variables, ...changed })
  const workers = await more(size)
  return { backend, requests, proxy, startProxy, workers, more, workspace, issuer: server.issuer }
}
