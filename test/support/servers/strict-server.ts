import type { KeyObject } from 'node:crypto'
import type { TestContext } from 'node:test'
import { compactVerify, decodeJwt, decodeProtectedHeader } from 'jose'
import type { ServerCertificate } from '../../../infra/local/certificate-authority.ts'
import type { JsonObject } from '../../../lib/base/decoding.ts'
import { plant } from '../output/canary.ts'
import { type ReceivedCall, type ScriptedAnswer, type ScriptedApi, startScriptedApi } from './scripted-api.ts'

/*
 * What the strict servers have in common. A strict server takes what its provider documents. It refuses each deviation with the
 * provider's own status and body, as far as its sources tell them.
 */

export interface StrictServerOptions {
  /** In milliseconds. */
  readonly now?: () => number
  /** By default a certificate for `localhost` from a new CA. */
  readonly certificate?: ServerCertificate
}

export interface StrictServer extends Pick<ScriptedApi, 'origin' | 'certificate'> {
  /** The requests that it accepted, in order. */
  readonly accepted: readonly ReceivedCall[]
  /** Why it refused each of the others, in order. The client sees only what the provider's clients see. */
  readonly refusals: readonly string[]
}

/** A strict server whose client signs with keys of its own. */
export interface StrictServerOfKeys extends StrictServer {
  /** Adds a public key of the client. */
  register(keyId: string, publicKey: KeyObject): void
}

export class Refusal extends Error {
  readonly answer: ScriptedAnswer
  constructor(reason: string, answer: ScriptedAnswer) {
    super(reason)
    this.answer = answer
  }
}

/** It ends with the test. `accept` answers a request, or throws a refusal. */
export async function startStrictServer(
  t: TestContext,
  accept: (call: ReceivedCall) => Promise<ScriptedAnswer>,
  { certificate, now = Date.now }: StrictServerOptions,
): Promise<StrictServer> {
  const accepted: ReceivedCall[] = []
  const refusals: string[] = []
  async function answer(call: ReceivedCall): Promise<ScriptedAnswer> {
    plant(call.headers.authorization?.split(' ')[1])
    try {
      const answer = await accept(call)
      accepted.push(call)
      return dated(answer)
    } catch (error) {
      if (!(error instanceof Refusal)) throw error
      refusals.push(error.message)
      return dated(error.answer)
    }
  }
  const dated = (answer: ScriptedAnswer) => ({
    ...answer,
    headers: { date: new Date(now()).toUTCString(), ...answer.headers },
  })
  const server = await startScriptedApi(t, answer, certificate && { certificate })
  return { origin: server.origin, certificate: server.certificate, accepted, refusals }
}

/** The credential of `Authorization` if its scheme is one of these. Schemes have no case (RFC 9110 section 11.1). */
export function credentialOf({ headers }: ReceivedCall, ...schemes: readonly string[]): string | undefined {
  const [, scheme = '', credential] = /^(\S+) (\S+)$/.exec(headers.authorization ?? '') ?? []
  return schemes.some((each) => each.toLowerCase() === scheme.toLowerCase()) ? credential : undefined
}

/** The header and the claims of a JWT before anything is verified, or undefined if it is no signed JWT. */
export function decodeUnverified(jwt = ''): { header: JsonObject; claims: JsonObject } | undefined {
  try {
    return { header: { ...decodeProtectedHeader(jwt) }, claims: decodeJwt(jwt) }
  } catch {
    return undefined
  }
}

/** Whether one of these keys verifies the signature by this algorithm. */
export async function isSignedByOneOf(jwt: string, keys: Iterable<KeyObject>, algorithm: string): Promise<boolean> {
  const verified = await Promise.allSettled(
    [...keys].map((key) => compactVerify(jwt, key, { algorithms: [algorithm] })),
  )
  return verified.some(({ status }) => status === 'fulfilled')
}

/** The names of members that are not among the known ones. */
export function unknownNames(members: JsonObject, known: readonly string[]): string[] {
  return Object.keys(members).filter((name) => !known.includes(name))
}
