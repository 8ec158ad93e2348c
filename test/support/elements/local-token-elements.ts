import type { RawElements } from './elements.ts'

/** The connection `conn`, whose token Tokenwell signs, with these changes. It has no server, and no API unless `endpoint` names one. */
export function localTokenElements(changes: {
  readonly builder?: Record<string, unknown>
  readonly token?: Record<string, unknown>
  readonly endpoint?: Record<string, unknown>
}): RawElements {
  return {
    jwtBuilder: { theBuilder: { issuer: 'theIssuer', audiences: 'theApi', jwkEnabled: true, ...changes.builder } },
    authTokenLocal: { theLocalToken: { tokenGeneratorRef: 'theBuilder', ...changes.token } },
    endpointConnection: {
      conn: { authenticationConfigRef: 'theLocalToken', directInvocation: true, ...changes.endpoint },
    },
  }
}
