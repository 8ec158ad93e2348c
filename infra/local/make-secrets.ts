import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { access, mkdir, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { secretPath } from '../../lib/adapters/files/file-secrets.ts'
import { isOfSecret, type JwtOfSecret } from '../../lib/configuration/assertion-configuration.ts'
import {
  assertionsOf,
  isServed,
  type ServedConnection,
  secretsInHeaders,
  type TokenConnection,
} from '../../lib/configuration/connection.ts'
import { isRsaAlgorithm, isSharedKeyAlgorithm } from '../../lib/configuration/signature-algorithm.ts'
import { generateKey } from '../../lib/signing/key-algorithm.ts'
import { keyIdOf } from '../../lib/signing/signing-key.ts'
import { createKeyCertificate } from './certificate-authority.ts'
import { LocalRunError } from './terminal.ts'

/** The folder of the secrets, and the stage in their names. */
interface Secrets {
  readonly secretsFolder: string
  readonly deployment: { readonly stage: string }
}

/**
 * Makes the secrets that these connections name and that are not in the folder. Existing secrets stay as they are.
 * @param registers whether the client secret is made too. A server that does not register the client with it gives it another one.
 * @returns the names of the new secrets
 */
export async function makeSecretsFor(
  secrets: Secrets,
  connections: readonly TokenConnection[],
  registers: (connection: TokenConnection) => boolean,
): Promise<string[]> {
  const wanted = new Map<string, () => Promise<string>>()
  for (const connection of connections) {
    if (!isServed(connection)) continue
    const { clientAuthentication, authorizationServer } = connection
    if (registers(connection))
      for (const clientSecret of clientSecretsOf(connection)) wanted.set(clientSecret, makePassword)
    const { clientCertificate } = authorizationServer.tls
    if (clientAuthentication.method === 'tls_client_auth' && clientCertificate !== undefined)
      wanted.set(clientCertificate, makeClientCertificate)
  }
  for (const [location, assertions] of signingSecrets(connections))
    wanted.set(location, () => makeKeys(location, assertions))

  const made: string[] = []
  for (const [name, make] of wanted) if (await makeSecret(secrets, name, make)) made.push(name)
  return made
}

/** The secrets that client and server share. */
function clientSecretsOf(connection: ServedConnection): readonly string[] {
  const { clientAuthentication: way } = connection
  const keys = assertionsOf(connection)
    .filter(isOfSecret)
    .filter(({ algorithm }) => isSharedKeyAlgorithm(algorithm))
  return [
    ...('passwordSecret' in way ? [way.passwordSecret] : []),
    ...keys.map(({ key }) => key.location),
    ...secretsInHeaders(connection.authorizationServer),
  ]
}

/** Makes one secret, unless it exists. Returns whether it was made. */
export async function makeSecret(
  { secretsFolder, deployment }: Secrets,
  name: string,
  make: () => Promise<string>,
): Promise<boolean> {
  return await makeFile(secretPath(secretsFolder, deployment.stage, name), make)
}

/** Makes a file that only its owner can read, unless it exists. Returns whether it was made. */
export async function makeFile(path: string, make: () => Promise<string>): Promise<boolean> {
  const isThere = await access(path).then(
    () => true,
    () => false,
  )
  if (isThere) return false
  await mkdir(dirname(path), { recursive: true, mode: 0o700 })
  await writeFile(path, await make(), { mode: 0o600 })
  return true
}

export async function makePassword(): Promise<string> {
  return randomBytes(48).toString('base64url')
}

/** A key and its certificate, in PEM. */
async function makeClientCertificate(): Promise<string> {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  return `${privateKey.export({ type: 'pkcs8', format: 'pem' })}${await createKeyCertificate(privateKey, 'Tokenwell')}`
}

/** The secret of the cache, with its keys. */
export async function makeCacheKeys(): Promise<string> {
  const key = () => randomBytes(32).toString('base64url')
  return JSON.stringify({ namingKey: key(), encryptionKeys: [{ kid: new Date().toISOString(), k: key() }] })
}

/** The assertions that are signed with a private key, by the name of the key's secret. */
function signingSecrets(connections: readonly TokenConnection[]): Map<string, JwtOfSecret[]> {
  const byLocation = new Map<string, JwtOfSecret[]>()
  for (const assertion of connections.flatMap(assertionsOf).filter(isOfSecret)) {
    if (isSharedKeyAlgorithm(assertion.algorithm)) continue
    byLocation.set(assertion.key.location, [...(byLocation.get(assertion.key.location) ?? []), assertion])
  }
  return byLocation
}

/** A JWK set with one key for each alias, and one key for all assertions without an alias. A key has a certificate if an assertion needs it. */
async function makeKeys(location: string, assertions: readonly JwtOfSecret[]): Promise<string> {
  refuseMixedKeys(location, assertions)
  const byAlias = new Map(assertions.map((assertion) => [assertion.key.alias, assertion]))
  const keys = await Promise.all([...byAlias.values()].map(makeKey))
  return `${JSON.stringify({ keys }, undefined, 2)}\n`
}

/** One key cannot sign with two kinds of algorithms, and without aliases two keys cannot be told apart. */
function refuseMixedKeys(location: string, assertions: readonly JwtOfSecret[]): void {
  for (const alias of new Set(assertions.map(({ key }) => key.alias))) {
    const algorithms = assertions.filter(({ key }) => key.alias === alias).map(({ algorithm }) => algorithm)
    const kinds = new Set(algorithms.map((algorithm) => (isRsaAlgorithm(algorithm) ? 'RSA' : algorithm)))
    const named = [...new Set(algorithms)].join(' and ')
    if (kinds.size > 1)
      throw new LocalRunError(
        `One key in the secret ${location} cannot sign with ${named}. Give each jwtBuilder its own keyStore or keyAlias.`,
      )
  }
}

async function makeKey({
  algorithm,
  key,
  issuer,
  subject = issuer,
  certificateThumbprint,
  hasCertificateChain,
}: JwtOfSecret): Promise<object> {
  const privateKey = generateKey(algorithm, key.generated?.modulusLength ?? 2048)
  const isSent = certificateThumbprint !== 'none' || hasCertificateChain
  const certificate = isSent ? await createKeyCertificate(privateKey, subject) : undefined
  return {
    ...privateKey.export({ format: 'jwk' }),
    kid: key.alias ?? keyIdOf(privateKey),
    use: 'sig',
    alg: algorithm,
    ...(certificate && { x5c: [certificate.replace(/-----[A-Z ]+-----|\s/g, '')] }),
  }
}
