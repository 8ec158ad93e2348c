import { constants, createPrivateKey, createPublicKey, type KeyObject, sign } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { SignatureAlgorithm } from '../../configuration/signature-algorithm.ts'
import { type KeyService, KeyServiceError } from '../../signing/key-service.ts'
import { keyIdOf } from '../../signing/signing-key.ts'

const signInThreadPool = promisify(sign)

/** The file of a key, such as `<folder>/alias/tokenwell/local/partner.pem`. */
export function keyFileOf(folder: string, alias: string): string {
  return join(folder, `${alias}.pem`)
}

/** Private keys in PEM files, for the processes of one machine, in place of AWS KMS. An alias is the path of a file. */
export function fileKeyService(folder: string): KeyService {
  async function privateKeyOf(alias: string): Promise<KeyObject> {
    const path = keyFileOf(folder, alias)
    try {
      return createPrivateKey(await readFile(path, 'utf8'))
    } catch (error) {
      const { code = 'no private key in PEM' } = error as NodeJS.ErrnoException
      throw new KeyServiceError(
        alias,
        `cannot be read (${code}). This machine keeps such a key in a file instead of AWS KMS: write the private key as PEM into ${path}.`,
      )
    }
  }

  return {
    async publicKey(alias) {
      const publicKey = createPublicKey(await privateKeyOf(alias))
      return { keyArn: arnOf(alias, publicKey), publicKey }
    },

    async sign({ alias, keyArn, algorithm, message }) {
      const named = keyArn.replace(/^file:|#.*$/g, '')
      const key = await privateKeyOf(named)
      if (arnOf(named, createPublicKey(key)) !== keyArn)
        throw new KeyServiceError(
          alias,
          `does not exist any longer: another key is in ${keyFileOf(folder, named)}. Write a new key into a file of its own.`,
        )
      return await signInThreadPool(hashOf(algorithm), message, { key, ...paddingOf(algorithm) })
    },
  }
}

function arnOf(alias: string, publicKey: KeyObject): string {
  return `file:${alias}#${keyIdOf(publicKey)}`
}

/** Undefined for Ed25519. */
function hashOf(algorithm: SignatureAlgorithm): string | undefined {
  return /^[RPE]S/.test(algorithm) ? `sha${algorithm.slice(2)}` : undefined
}

/** RFC 7518 section 3.5. */
function paddingOf(algorithm: SignatureAlgorithm) {
  if (!algorithm.startsWith('PS')) return {}
  return { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST }
}
