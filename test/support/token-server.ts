import type { TestContext } from 'node:test'
import { createServerCertificate } from '../../infra/local/certificate-authority.ts'
import { plant } from './canary.ts'
import type { RawElements } from './elements.ts'
import { type Caller, createWorkspace, startCaller } from './the-set.ts'
import { type Script, startTokenEndpoint, type TokenEndpoint, type TokenEndpointOptions } from './token-endpoint.ts'

export { type Script, type ScriptedAnswer, someToken } from './token-endpoint.ts'

export interface TokenServer extends Caller, Pick<TokenEndpoint, 'issuer' | 'requests' | 'attempts'> {}

/** A real TLS server as token endpoint that answers as told, and the issue-token function in front of it. */
export async function startTokenServer(
  t: TestContext,
  elements: (issuer: string) => RawElements,
  script: Script,
  options: Partial<TokenEndpointOptions> = {},
): Promise<TokenServer> {
  const certificate = options.certificate ?? (await createServerCertificate(['localhost']))
  const planting: Script = (request, response, index) => {
    plant(request.form.get('client_assertion'))
    plant(request.form.get('password'))
    return script(request, response, index)
  }
  const endpoint = await startTokenEndpoint(planting, { ...options, certificate })
  t.after(() => endpoint.close())
  const { issuer, requests, attempts } = endpoint
  const workspace = await createWorkspace(t, elements(issuer), certificate)
  return { ...(await startCaller(workspace)), issuer, requests, attempts }
}
