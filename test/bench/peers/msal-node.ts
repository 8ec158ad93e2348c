import { randomUUID } from 'node:crypto'
import { ConfidentialClientApplication, ProtocolMode } from '@azure/msal-node'
import { SignJWT } from 'jose'
import { clientId, type SetUp, type Signing } from './peer.ts'

export const setUp: SetUp = async (issuer, signing) => {
  const signer = await signing()
  const endpoints = ['authorization_endpoint', 'token_endpoint', 'end_session_endpoint', 'jwks_uri']
  const urls = Object.fromEntries(endpoints.map((name) => [name, `${issuer}/${name.replace('_endpoint', '')}`]))
  const application = new ConfidentialClientApplication({
    auth: {
      clientId,
      authority: issuer,
      knownAuthorities: [new URL(issuer).host],
      authorityMetadata: JSON.stringify({ issuer, ...urls }),
      clientAssertion: () => signAssertion(`${issuer}/token`, signer),
    },
    system: { protocolMode: ProtocolMode.OIDC },
  })
  const acquire = async (skipCache: boolean) =>
    (await application.acquireTokenByClientCredential({ scopes: ['orders'], skipCache }))?.accessToken
  return { newToken: () => acquire(true), heldToken: () => acquire(false) }
}

function signAssertion(audience: string, { algorithm, key }: Signing): Promise<string> {
  return new SignJWT({})
    .setProtectedHeader({ alg: algorithm })
    .setIssuer(clientId)
    .setSubject(clientId)
    .setAudience(audience)
    .setJti(randomUUID())
    .setIssuedAt()
    .setExpirationTime('1 min')
    .sign(key)
}
