import { createHash, generateKeyPairSync, type KeyObject, randomUUID, sign } from 'node:crypto'
import type { TestContext } from 'node:test'
import { isJsonObject, type JsonObject } from '../../../lib/base/decoding.ts'
import { type AwsAccount, createAwsAccount, type RoleSession } from './aws-account.ts'
import { AwsRefusal } from './aws-refusal.ts'
import type { SignedAwsRequest } from './aws-signature.ts'
import { type HashName, signEcdsa, signPkcs1, signPss } from './sign-digest.ts'
import { type AwsCall, type AwsServer, startStrictAwsServer } from './strict-aws-server.ts'

/*
 * AWS KMS as far as Tokenwell uses it: Sign and GetPublicKey. Moto 5.2 hashes a digest again, signs with disabled keys and returns a key
 * id in place of the ARN. Ministack 1.5.33 signs rightly, and shows the public key of a disabled key.
 *
 * Documented by AWS:
 * - https://docs.aws.amazon.com/kms/latest/APIReference/API_Sign.html: message types, lengths, algorithms by key spec, errors
 * - https://docs.aws.amazon.com/kms/latest/APIReference/API_GetPublicKey.html: the answer, errors
 * - https://docs.aws.amazon.com/kms/latest/developerguide/alias-authorization.html: `kms:ResourceAliases` are the aliases that the key
 *   has, whatever the request names; `kms:RequestAlias` is there only if the request names an alias
 * Assumed: that permissions are looked at before the state of a key; the exact words of messages; that a change of an alias is in force
 * at once. In AWS it takes up to five minutes.
 */

export type KeySpec =
  | 'RSA_2048'
  | 'RSA_3072'
  | 'RSA_4096'
  | 'ECC_NIST_P256'
  | 'ECC_NIST_P384'
  | 'ECC_NIST_P521'
  | 'ECC_SECG_P256K1'
  | 'ECC_NIST_EDWARDS25519'
  | 'SYMMETRIC_DEFAULT'
  | 'HMAC_256'

export type KeyUsage = 'SIGN_VERIFY' | 'ENCRYPT_DECRYPT' | 'KEY_AGREEMENT' | 'GENERATE_VERIFY_MAC'

export type KeyState = 'Enabled' | 'Disabled' | 'PendingDeletion'

export interface KmsKey {
  readonly arn: string
  readonly spec: KeySpec
  readonly usage: KeyUsage
  /** Absent for a symmetric key. */
  readonly privateKey?: KeyObject
  readonly publicKey?: KeyObject
}

export interface StrictKms extends AwsServer {
  readonly account: AwsAccount
  createKey(spec: KeySpec, usage?: KeyUsage): KmsKey
  /** As CreateAlias, or UpdateAlias if there is one of this name. */
  pointAlias(alias: string, key: KmsKey): void
  deleteAlias(alias: string): void
  setState(key: KmsKey, state: KeyState): void
  /** What it signed, in order. */
  readonly signatures: readonly { readonly keyArn: string; readonly algorithm: string; readonly askedFor: string }[]
}

const rsaAlgorithms = [
  'PKCS1_V1_5_SHA_256',
  'PKCS1_V1_5_SHA_384',
  'PKCS1_V1_5_SHA_512',
  'PSS_SHA_256',
  'PSS_SHA_384',
  'PSS_SHA_512',
]
const rsa = rsaAlgorithms.map((name) => `RSASSA_${name}`)

const algorithms: Readonly<Record<KeySpec, readonly string[]>> = {
  RSA_2048: rsa,
  RSA_3072: rsa,
  RSA_4096: rsa,
  ECC_NIST_P256: ['ECDSA_SHA_256'],
  ECC_NIST_P384: ['ECDSA_SHA_384'],
  ECC_NIST_P521: ['ECDSA_SHA_512'],
  ECC_SECG_P256K1: ['ECDSA_SHA_256'],
  ECC_NIST_EDWARDS25519: ['ED25519_SHA_512', 'ED25519_PH_SHA_512'],
  SYMMETRIC_DEFAULT: [],
  HMAC_256: [],
}

/** It ends with the test. */
export async function startStrictKms(
  t: Pick<TestContext, 'after'>,
  { account = createAwsAccount() }: { readonly account?: AwsAccount } = {},
): Promise<StrictKms> {
  const keys = new Map<string, KmsKey>()
  const states = new Map<string, KeyState>()
  const aliases = new Map<string, string>()
  const signatures: { keyArn: string; algorithm: string; askedFor: string }[] = []
  const prefix = `arn:aws:kms:${account.region}:${account.accountId}:`

  async function carryOut({ operation, request }: AwsCall, session: RoleSession): Promise<string> {
    const parameters = readJson(request)
    if (operation === 'Sign') return JSON.stringify(signWith(parameters, session))
    if (operation === 'GetPublicKey') return JSON.stringify(showPublicKey(parameters, session))
    throw new AwsRefusal('UnknownOperationException', '')
  }

  function signWith(parameters: JsonObject, session: RoleSession) {
    demandKnown(parameters, ['KeyId', 'Message', 'MessageType', 'SigningAlgorithm'])
    const { MessageType: type = 'RAW', SigningAlgorithm: algorithm } = parameters
    if (typeof algorithm !== 'string' || !Object.values(algorithms).flat().includes(algorithm))
      throw new AwsRefusal('ValidationException', "Value at 'signingAlgorithm' failed to satisfy constraint.")
    if (type !== 'RAW' && type !== 'DIGEST')
      throw new AwsRefusal('ValidationException', "Value at 'messageType' failed to satisfy constraint.")
    const message = Buffer.from(String(parameters['Message'] ?? ''), 'base64')
    if (message.length < 1 || message.length > 4096)
      throw new AwsRefusal('ValidationException', "Value at 'message' failed to satisfy constraint: 1 to 4096 bytes.")
    const key = find('kms:Sign', parameters, session, {
      'kms:SigningAlgorithm': [algorithm],
      'kms:MessageType': [type],
    })
    if (key.usage !== 'SIGN_VERIFY' || !key.privateKey)
      throw new AwsRefusal(
        'InvalidKeyUsageException',
        `${key.arn} key usage is ${key.usage} which is not valid for Sign.`,
      )
    if (!algorithms[key.spec].includes(algorithm))
      throw new AwsRefusal(
        'InvalidKeyUsageException',
        `Algorithm ${algorithm} is incompatible with key spec ${key.spec}.`,
      )
    const signature = type === 'RAW' ? signRaw(key, algorithm, message) : signDigest(key, algorithm, message)
    signatures.push({ keyArn: key.arn, algorithm, askedFor: String(parameters['KeyId']) })
    return { KeyId: key.arn, Signature: signature.toString('base64'), SigningAlgorithm: algorithm }
  }

  function showPublicKey(parameters: JsonObject, session: RoleSession) {
    demandKnown(parameters, ['KeyId'])
    const key = find('kms:GetPublicKey', parameters, session, {})
    if (!key.publicKey) throw new AwsRefusal('UnsupportedOperationException', `${key.arn} is not an asymmetric key.`)
    return {
      KeyId: key.arn,
      PublicKey: key.publicKey.export({ format: 'der', type: 'spki' }).toString('base64'),
      CustomerMasterKeySpec: key.spec,
      KeySpec: key.spec,
      KeyUsage: key.usage,
      ...(key.usage === 'SIGN_VERIFY' && { SigningAlgorithms: algorithms[key.spec] }),
    }
  }

  /** The key that the request names, if the caller may use it and its state allows it. */
  function find(
    action: string,
    { KeyId }: JsonObject,
    session: RoleSession,
    context: Record<string, string[]>,
  ): KmsKey {
    const asked = typeof KeyId === 'string' ? KeyId : ''
    const alias = asked.startsWith(prefix) ? asked.slice(prefix.length) : asked
    const isAlias = alias.startsWith('alias/')
    const arn = isAlias ? aliases.get(alias) : [asked, `${prefix}key/${asked}`].find((each) => keys.has(each))
    const key = keys.get(arn ?? '')
    if (isAlias && !key) throw new AwsRefusal('NotFoundException', `Alias ${prefix}${alias} is not found.`)
    if (!key) throw new AwsRefusal('NotFoundException', `Key '${asked}' does not exist`)
    const own = [...aliases].filter(([, target]) => target === key.arn).map(([name]) => name)
    account.authorize(session, action, key.arn, {
      ...context,
      'kms:ResourceAliases': own,
      ...(isAlias && { 'kms:RequestAlias': [alias] }),
    })
    const state = states.get(key.arn)
    if (state === 'Disabled') throw new AwsRefusal('DisabledException', `${key.arn} is disabled.`)
    if (state === 'PendingDeletion') throw new AwsRefusal('KMSInvalidStateException', `${key.arn} is pending deletion.`)
    return key
  }

  const server = await startStrictAwsServer(t, account, {
    service: 'kms',
    contentType: 'application/x-amz-json-1.1',
    operationOf({ headers }) {
      const [, operation] = /^TrentService\.(\w+)$/.exec(String(headers['x-amz-target'])) ?? []
      if (operation === undefined) throw new AwsRefusal('UnknownOperationException', '')
      return operation
    },
    carryOut,
    writeResult: (_operation, result) => result,
    writeRefusal: ({ code, message }) => JSON.stringify({ __type: jsonNames[code] ?? code, message }),
    // The JSON services answer 400 where the Query services answer 403.
    statusOf: ({ status }) => (status === 403 ? 400 : status),
  })
  return {
    ...server,
    account,
    signatures,
    createKey(spec, usage = 'SIGN_VERIFY') {
      const arn = `${prefix}key/${randomUUID()}`
      const key: KmsKey = { arn, spec, usage, ...generate(spec) }
      keys.set(arn, key)
      return key
    },
    pointAlias: (alias, key) => void aliases.set(alias, key.arn),
    deleteAlias: (alias) => void aliases.delete(alias),
    setState: (key, state) => void states.set(key.arn, state),
  }
}

/** The names that JSON services have for the codes of Query services. */
const jsonNames: Readonly<Record<string, string>> = {
  AccessDenied: 'AccessDeniedException',
  ExpiredToken: 'ExpiredTokenException',
  InternalFailure: 'KMSInternalException',
  InvalidClientTokenId: 'UnrecognizedClientException',
  MissingAuthenticationToken: 'MissingAuthenticationTokenException',
  SignatureDoesNotMatch: 'InvalidSignatureException',
}

function generate(spec: KeySpec): { privateKey?: KeyObject; publicKey?: KeyObject } {
  switch (spec) {
    case 'RSA_2048':
    case 'RSA_3072':
    case 'RSA_4096':
      return generateKeyPairSync('rsa', { modulusLength: Number(spec.slice(4)) })
    case 'ECC_NIST_P256':
    case 'ECC_NIST_P384':
    case 'ECC_NIST_P521':
      return generateKeyPairSync('ec', { namedCurve: `P-${spec.slice(10)}` })
    case 'ECC_SECG_P256K1':
      return generateKeyPairSync('ec', { namedCurve: 'secp256k1' })
    case 'ECC_NIST_EDWARDS25519':
      return generateKeyPairSync('ed25519')
    case 'SYMMETRIC_DEFAULT':
    case 'HMAC_256':
      return {}
  }
}

function signDigest({ spec, privateKey }: KmsKey, algorithm: string, digest: Buffer): Buffer {
  if (spec === 'ECC_NIST_EDWARDS25519')
    throw new AwsRefusal('ValidationException', `${algorithm} signs no digest that a JWT could use.`)
  const hash = hashOf(algorithm)
  if (!privateKey || digest.length !== Number(hash.slice(3)) / 8)
    throw new AwsRefusal('ValidationException', `Digest is invalid length for algorithm ${algorithm}.`)
  if (algorithm.startsWith('RSASSA_PSS')) return signPss(privateKey, hash, digest)
  if (algorithm.startsWith('RSASSA_PKCS1')) return signPkcs1(privateKey, hash, digest)
  if (spec === 'ECC_SECG_P256K1') throw new Error('This server signs no digest with secp256k1.')
  return signEcdsa(privateKey, digest)
}

function signRaw(key: KmsKey, algorithm: string, message: Buffer): Buffer {
  if (key.spec !== 'ECC_NIST_EDWARDS25519')
    return signDigest(key, algorithm, createHash(hashOf(algorithm)).update(message).digest())
  if (!key.privateKey || algorithm !== 'ED25519_SHA_512')
    throw new AwsRefusal('ValidationException', `${algorithm} signing algorithm requires MessageType:DIGEST`)
  return sign(null, message, key.privateKey)
}

function hashOf(algorithm: string): HashName {
  return `sha${algorithm.slice(-3)}` as HashName
}

function readJson({ body }: SignedAwsRequest): JsonObject {
  const value: unknown = JSON.parse(body.toString())
  if (!isJsonObject(value)) throw new AwsRefusal('SerializationException', '')
  return value
}

function demandKnown(parameters: JsonObject, known: readonly string[]): void {
  const unknown = Object.keys(parameters).filter((name) => !known.includes(name))
  if (unknown.length > 0) throw new AwsRefusal('ValidationException', `The parameters ${unknown.join()} are not known.`)
}
