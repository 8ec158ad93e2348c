import { createPrivateKey, type KeyObject, randomUUID, sign } from 'node:crypto'
import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { request } from 'node:https'
import { text } from 'node:stream/consumers'

/** The work itself and nothing else: a key, a signature, one request. */
export async function tokenByHttps(issuer: string, key: Parameters<typeof createPrivateKey>[0]): Promise<string> {
  const assertion = signAssertion(issuer, createPrivateKey(key))
  const body = `grant_type=client_credentials&client_assertion=${assertion}`
  const headers = { 'content-type': 'application/x-www-form-urlencoded', 'content-length': Buffer.byteLength(body) }
  const asked = request(`${issuer}/token`, { method: 'POST', headers }).end(body)
  const [response]: IncomingMessage[] = await once(asked, 'response')
  if (!response) throw new Error('There is no answer.')
  return JSON.parse(await text(response)).access_token
}

function signAssertion(audience: string, key: KeyObject): string {
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const iat = Math.floor(Date.now() / 1000)
  const claims = { iss: 'theClient', sub: 'theClient', aud: audience, jti: randomUUID(), iat, exp: iat + 60 }
  const signed = `${encode({ alg: 'ES256' })}.${encode(claims)}`
  const signature = sign('sha256', Buffer.from(signed), { key, dsaEncoding: 'ieee-p1363' })
  return `${signed}.${signature.toString('base64url')}`
}
