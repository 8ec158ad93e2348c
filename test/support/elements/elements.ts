/** Elements as a file holds them, by kind and id. */
export type RawElements = Record<string, Record<string, Record<string, unknown>>>

export interface ElementChanges {
  readonly builder?: Record<string, unknown>
  readonly tokenConfig?: Record<string, unknown>
  readonly server?: Record<string, unknown>
  readonly oAuth?: Record<string, unknown>
  readonly endpoint?: Record<string, unknown>
}

/** The example of z/OS Connect, completed to what a real server accepts, with these changes. */
export function exampleElements(issuer: string, changes: ElementChanges = {}): RawElements {
  return {
    jwtBuilder: { theBuilder: { issuer: 'theClient', jwkEnabled: true, ...changes.builder } },
    oAuthTokenConfig: {
      theTokenConfig: { tokenGeneratorRef: 'theBuilder', tokenSubject: 'theClient', ...changes.tokenConfig },
    },
    authorizationServer: { theServer: { tokenEndpoint: `${issuer}/token`, issuer, ...changes.server } },
    oAuthConfig: {
      theConfig: { authServerRef: 'theServer', jwtAuthenticationTokenRef: 'theTokenConfig', ...changes.oAuth },
    },
    endpointConnection: {
      conn: { authenticationConfigRef: 'theConfig', directInvocation: true, ...changes.endpoint },
    },
    ssl: { defaultSSLConfig: { trustStoreRef: 'theTrust' } },
    keyStore: { theTrust: { location: 'tokenwell/local/authorization-server-ca' } },
  }
}

/** The elements without undefined attributes, so that a change can remove an attribute. */
export function withoutUndefined(elements: RawElements): RawElements {
  return JSON.parse(JSON.stringify(elements))
}
