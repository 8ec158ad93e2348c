import type { KeyObject } from 'node:crypto'
import { GetPublicKeyCommand, KMSClient, SignCommand } from '@aws-sdk/client-kms'
import { createLazy } from '../../base/single-flight.ts'
import { PublicationKeyError, type PublicationSigner } from '../../key-lifecycle/publication-key.ts'
import { type AwsTimeouts, awsClientSettings, withinTime } from './aws-client.ts'
import { reasonOfAwsFailure } from './aws-failure.ts'
import { classifyKmsFailure } from './kms-failure.ts'
import { readPublicKey } from './kms-public-key.ts'

export interface KmsPublicationKeySettings {
  /** The id, ARN or alias (`alias/...`) of the key. */
  readonly keyId: string
  readonly timeouts?: AwsTimeouts
}

/** A caller of `publish-keys` may be waiting. */
const defaultTimeouts: AwsTimeouts = { connect: 1_000, answer: 2_000, total: 5_000 }

/**
 * The key for publications in AWS KMS (ECC_NIST_P256, SIGN_VERIFY). It never leaves KMS. The public key is fetched once and kept
 * for the lifetime of the process, so that later verifications do not need KMS.
 */
export function kmsPublicationKey({ keyId, timeouts = defaultTimeouts }: KmsPublicationKeySettings): PublicationSigner {
  let client: KMSClient | undefined
  const connect = () => {
    client ??= new KMSClient(awsClientSettings(timeouts))
    return client
  }

  const publicKey = createLazy(async () => {
    const command = new GetPublicKeyCommand({ KeyId: keyId })
    const { PublicKey: spki } = await withinTime(timeouts.total, (options) => connect().send(command, options)).catch(
      (error) => {
        throw describeKmsFailure(error, keyId, 'kms:GetPublicKey')
      },
    )
    return demandP256(keyId, spki)
  })

  return {
    publicKey: async () => await publicKey.get(),
    async sign(bytes) {
      const command = new SignCommand({
        KeyId: keyId,
        Message: bytes,
        MessageType: 'RAW',
        SigningAlgorithm: 'ECDSA_SHA_256',
      })
      const { Signature: signature } = await withinTime(timeouts.total, (options) =>
        connect().send(command, options),
      ).catch((error) => {
        throw describeKmsFailure(error, keyId, 'kms:Sign')
      })
      if (!signature)
        throw new PublicationKeyError(`The KMS key ${keyId} returned no signature. Try again later.`, {
          isPassing: true,
        })
      return signature
    },
  }
}

/** @throws {PublicationKeyError} if it is a key of another kind */
function demandP256(keyId: string, spki: Uint8Array | undefined): KeyObject {
  const key = readPublicKey(spki)
  if (key?.asymmetricKeyDetails?.namedCurve === 'prime256v1') return key
  throw new PublicationKeyError(
    `The KMS key ${keyId} cannot sign publications. Use a key with the key spec ECC_NIST_P256.`,
  )
}

/** Only the name of the original is kept. */
function describeKmsFailure(error: unknown, keyId: string, action: string): unknown {
  const reason = reasonOfAwsFailure(error)
  switch (classifyKmsFailure(error)) {
    case 'missing':
      return new PublicationKeyError(`The KMS key ${keyId} does not exist in this account and region. Create it.`)
    case 'denied':
    case 'unusable':
    case 'wrong_kind':
      return new PublicationKeyError(
        `The KMS key ${keyId} cannot be used (${reason}). Allow ${action} on it, and check that it is enabled and that its key usage is SIGN_VERIFY.`,
      )
    case 'throttled':
      return new PublicationKeyError(
        `The KMS key ${keyId} cannot be used now (${reason}): KMS throttles requests. Try again later.`,
        passing,
      )
    case 'unreachable':
      return new PublicationKeyError(
        `The KMS key ${keyId} cannot be used now (${reason}). Check that KMS can be reached from this network.`,
        passing,
      )
    case undefined:
      return error
  }
}

const passing = { isPassing: true }
