import { GetPublicKeyCommand, KMSClient, SignCommand, type SigningAlgorithmSpec } from '@aws-sdk/client-kms'
import type { SignatureAlgorithm } from '../../configuration/signature-algorithm.ts'
import { type KeyService, KeyServiceError } from '../../signing/key-service.ts'
import { type AwsTimeouts, awsClientSettings, withinTime } from './aws-client.ts'
import { reasonOfAwsFailure } from './aws-failure.ts'
import { classifyKmsFailure } from './kms-failure.ts'
import { readPublicKey } from './kms-public-key.ts'

/** A caller waits for the token. */
const defaultTimeouts: AwsTimeouts = { connect: 1_000, answer: 2_000, total: 5_000 }
/** Ed25519 has no digest, and KMS takes no longer message. */
const longestMessageBytes = 4_096

const algorithms: Readonly<Partial<Record<SignatureAlgorithm, SigningAlgorithmSpec>>> = {
  RS256: 'RSASSA_PKCS1_V1_5_SHA_256',
  RS384: 'RSASSA_PKCS1_V1_5_SHA_384',
  RS512: 'RSASSA_PKCS1_V1_5_SHA_512',
  PS256: 'RSASSA_PSS_SHA_256',
  PS384: 'RSASSA_PSS_SHA_384',
  PS512: 'RSASSA_PSS_SHA_512',
  ES256: 'ECDSA_SHA_256',
  ES384: 'ECDSA_SHA_384',
  ES512: 'ECDSA_SHA_512',
  Ed25519: 'ED25519_SHA_512',
  EdDSA: 'ED25519_SHA_512',
}

/** Asymmetric keys in AWS KMS (SIGN_VERIFY). They never leave KMS. */
export function kmsKeyService({ timeouts = defaultTimeouts }: { readonly timeouts?: AwsTimeouts } = {}): KeyService {
  let client: KMSClient | undefined
  const connect = () => {
    client ??= new KMSClient(awsClientSettings(timeouts))
    return client
  }

  return {
    async publicKey(alias) {
      const command = new GetPublicKeyCommand({ KeyId: alias })
      const { KeyId, PublicKey, KeyUsage } = await withinTime(timeouts.total, (options) =>
        connect().send(command, options),
      ).catch((error) => {
        throw describeKmsFailure(error, { alias, key: alias, action: 'kms:GetPublicKey' })
      })
      const publicKey = KeyUsage === 'SIGN_VERIFY' ? readPublicKey(PublicKey) : undefined
      if (publicKey && KeyId) return { keyArn: KeyId, publicKey }
      throw new KeyServiceError(
        alias,
        `cannot sign JWTs (key usage ${KeyUsage ?? 'unknown'}). Use a key with the usage SIGN_VERIFY and the spec RSA_2048, ECC_NIST_P256 or a longer one of these kinds.`,
      )
    },

    async sign({ alias, keyArn, algorithm, message, digest }) {
      if (!digest && message.length > longestMessageBytes)
        throw new KeyServiceError(
          alias,
          `signs at most ${longestMessageBytes} bytes with ${algorithm}, but the JWT has ${message.length}. Take x5c or long claims out, or use another algorithm, which signs a digest.`,
        )
      const command = new SignCommand({
        KeyId: keyArn,
        Message: digest ?? message,
        MessageType: digest ? 'DIGEST' : 'RAW',
        SigningAlgorithm: algorithms[algorithm],
      })
      const { Signature: signature } = await withinTime(timeouts.total, (options) =>
        connect().send(command, options),
      ).catch((error) => {
        throw describeKmsFailure(error, { alias, key: `${alias} (${keyArn})`, action: 'kms:Sign' })
      })
      if (signature) return signature
      throw new KeyServiceError(alias, 'returned no signature. Try again later.', passing)
    },
  }
}

const passing = { isPassing: true }

interface KmsUse {
  readonly alias: string
  /** With the ARN, if it is known. */
  readonly key: string
  readonly action: 'kms:Sign' | 'kms:GetPublicKey'
}

/** Only the name of the original is kept. */
function describeKmsFailure(error: unknown, { alias, key, action }: KmsUse): unknown {
  const reason = reasonOfAwsFailure(error)
  switch (classifyKmsFailure(error)) {
    case 'missing':
      return new KeyServiceError(
        key,
        'does not exist in this account and region. Create the key and the alias, or correct location of the keyStore.',
      )
    case 'denied':
      return new KeyServiceError(
        key,
        `may not be used (${reason}). Allow ${action} on keys with this alias, by the construct and by the policy of the key. If the alias was moved to another key, give it the alias ${alias}/previous until the other key signs.`,
      )
    case 'unusable':
      return new KeyServiceError(
        key,
        `cannot be used (${reason}). Enable the key, or cancel its deletion. Otherwise write the alias of another key into location of the keyStore.`,
      )
    case 'wrong_kind':
      return new KeyServiceError(
        key,
        `cannot sign with this algorithm (${reason}). Use an asymmetric key with the usage SIGN_VERIFY whose spec fits signatureAlgorithm.`,
      )
    case 'throttled':
      return new KeyServiceError(
        key,
        `cannot be used now (${reason}): KMS throttles requests. Try again later, or raise the quota of KMS for cryptographic operations.`,
        passing,
      )
    case 'unreachable':
      return new KeyServiceError(
        key,
        `cannot be used now (${reason}). Check that KMS can be reached from this network.`,
        passing,
      )
    case undefined:
      return error
  }
}
