import { mostDirectConnections } from '../../../lib/configuration/direct-invocation.ts'
import { exampleElements, type RawElements, withoutUndefined } from './elements.ts'

export interface ManyConnections {
  readonly issuer: string
  readonly stage: string
  readonly connections: number
  /** The number of connections, from the first on, whose keys Tokenwell makes. */
  readonly withMadeKeys: number
}

/**
 * Connections `conn0`, `conn1` and so on, each with six elements of its own, which have its name. All share a trust store. As many as
 * possible take direct requests.
 */
export function manyConnections({ issuer, stage, connections, withMadeKeys }: ManyConnections): RawElements {
  const { jwtBuilder, oAuthTokenConfig, authorizationServer, oAuthConfig, endpointConnection, ...others } =
    withoutUndefined(exampleElements(issuer))
  const [builder, tokenConfig, server, config, connection] = [
    jwtBuilder?.['theBuilder'],
    oAuthTokenConfig?.['theTokenConfig'],
    authorizationServer?.['theServer'],
    oAuthConfig?.['theConfig'],
    endpointConnection?.['conn'],
  ]
  const forEach = (make: (name: string, index: number) => Record<string, unknown>) =>
    Object.fromEntries(
      Array.from({ length: connections }, (_, index) => [`conn${index}`, make(`conn${index}`, index)] as const),
    )
  const location = `tokenwell/${stage}/keys`
  return {
    ...others,
    keyStore: {
      theTrust: { location: `tokenwell/${stage}/authorization-server-ca` },
      ...forEach(() => ({ location })),
    },
    jwtBuilder: forEach((keyStoreRef, index) => ({
      ...builder,
      ...(index < withMadeKeys ? { jwkEnabled: true } : { jwkEnabled: false, keyStoreRef }),
    })),
    oAuthTokenConfig: forEach((tokenGeneratorRef) => ({ ...tokenConfig, tokenGeneratorRef })),
    authorizationServer: forEach(() => ({ ...server })),
    oAuthConfig: forEach((name) => ({ ...config, authServerRef: name, jwtAuthenticationTokenRef: name })),
    endpointConnection: forEach((authenticationConfigRef, index) => ({
      ...{ ...connection, authenticationConfigRef, directInvocation: index < mostDirectConnections },
    })),
  }
}
