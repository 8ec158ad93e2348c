import type { TestContext } from 'node:test'
import { createServerCertificate } from '../../../infra/local/certificate-authority.ts'
import type { RawElements } from '../elements/elements.ts'
import { plant } from '../output/canary.ts'
import {
  type Script,
  type ScriptedTokenEndpoint,
  type ScriptedTokenEndpointOptions,
  startScriptedTokenEndpoint,
} from '../servers/scripted-token-endpoint.ts'
import { type Caller, createWorkspace, startCaller } from './function-caller.ts'

export { type Script, type ScriptedAnswer, tokenAnswer } from '../servers/scripted-token-endpoint.ts'

export interface IssueTokenWithScriptedServer
  extends Caller,
    Pick<ScriptedTokenEndpoint, 'issuer' | 'requests' | 'attempts'> {}

const secretParameters = ['client_assertion', 'password', 'assertion', 'subject_token', 'actor_token'] as const

/** A real TLS server as token endpoint that follows a script, and the issue-token function in front of it. */
export async function startIssueTokenWithScriptedServer(
  t: TestContext,
  elements: (issuer: string) => RawElements,
  script: Script,
  options: Partial<ScriptedTokenEndpointOptions> = {},
): Promise<IssueTokenWithScriptedServer> {
  const certificate = options.certificate ?? (await createServerCertificate(['localhost']))
  const planting: Script = (request, response, index) => {
    for (const name of secretParameters) plant(request.form.get(name))
    return script(request, response, index)
  }
  const endpoint = await startScriptedTokenEndpoint(planting, { ...options, certificate })
  t.after(() => endpoint.close())
  const { issuer, requests, attempts } = endpoint
  const workspace = await createWorkspace(t, elements(issuer), certificate)
  return { ...(await startCaller(workspace)), issuer, requests, attempts }
}
