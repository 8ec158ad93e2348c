import { decodeJwt, UnsecuredJWT } from 'jose'
import type { ServedConnection } from '../../../lib/configuration/connection.ts'
import type { ConnectionCache, Fingerprints } from '../../../lib/configuration/connection-cache.ts'
import { fingerprintOf } from '../../../lib/configuration/fingerprint.ts'
import { Secret } from '../../../lib/secret/secret.ts'
import type { SecretCache } from '../../../lib/secret/secret-cache.ts'
import type { Signer } from '../../../lib/signing/signer.ts'
import type { SignerCache } from '../../../lib/signing/signer-cache.ts'
import type { TokenEndpoint, TokenEndpointAnswer } from '../../../lib/token-endpoint/token-endpoint.ts'
import { singleVersionSecrets } from './secret-stores.ts'
import type { VirtualTime } from './virtual-time.ts'

/** One request as the virtual token endpoint sees it. */
export interface VirtualRequest {
  /** The id of the authorization server. */
  readonly server: string
  readonly form: URLSearchParams
  readonly authorization?: string | undefined
  readonly assertion: string | null
  /** The claims of the assertion, if there is one. */
  readonly claims: Readonly<Record<string, unknown>>
  readonly at: number
  readonly index: number
}

/** The far end: it answers, or throws what the adapter would throw. */
export type VirtualEndpoint = (request: VirtualRequest) => TokenEndpointAnswer | Promise<TokenEndpointAnswer>

/** Records the requests that it receives. */
export function virtualTokenEndpoint(
  answer: VirtualEndpoint,
  requests: VirtualRequest[],
  { now, pause }: VirtualTime,
  latency: number,
): TokenEndpoint {
  return {
    async post({ id: server }, { write }) {
      const { form, headers } = await write()
      const fields = new URLSearchParams(form?.reveal())
      const assertion = fields.get('client_assertion')
      const claims = assertion === null ? {} : decodeJwt(assertion)
      const authorization = headers['authorization']?.reveal()
      const request = { server, form: fields, authorization, assertion, claims, at: now(), index: requests.length }
      requests.push(request)
      await pause(latency)
      return answer(request)
    },
  }
}

/** Signs nothing and answers at once, because a thread pool does not follow virtual time. */
export const theSigner: Signer = {
  sign: async (_header, claims) => new Secret(new UnsecuredJWT({ ...claims }).encode()),
}

export const theSigners: SignerCache = {
  current: () => Promise.resolve(theSigner),
  previous: () => Promise.resolve(undefined),
  revoke() {},
}

export const thePassword: SecretCache = {
  ...singleVersionSecrets(() => Promise.resolve(new Secret('the password'))),
  refresh: () => Promise.resolve(false),
  readAllAgain() {},
  forget() {},
}

/** The fingerprints that a process uses if it can't read the cache's keys. */
export const plainFingerprints: Fingerprints = { formsOf: (connection) => [fingerprintOf(connection)] }

export function unchangingConnections(connection: ServedConnection): ConnectionCache {
  const known = { connection, fingerprint: fingerprintOf(connection) }
  return {
    get: () => Promise.resolve(known),
    readAgain: () => Promise.resolve(known),
    has: (_name, fingerprint) => fingerprint === known.fingerprint,
    isDisabled: () => Promise.resolve(false),
    peek: () => connection,
  }
}
