import { createHash, type KeyObject, type X509Certificate } from 'node:crypto'
import { Secret } from '../secret/secret.ts'
import { signJws } from './sign-jws.ts'
import type { CertificateThumbprints, Signer } from './signer.ts'
import type { SigningKey } from './signing-key.ts'

/** Signs in this process with a key that it holds. */
export function createLocalSigner(
  key: KeyObject,
  { keyId, certificates: [certificate] = [] }: Partial<Pick<SigningKey, 'keyId' | 'certificates'>>,
): Signer {
  return {
    ...(keyId !== undefined && { keyId }),
    ...(certificate && { certificate: thumbprintsOf(certificate) }),
    async sign(header, claims) {
      return new Secret(signJws(key, header, claims))
    },
  }
}

function thumbprintsOf({ raw }: X509Certificate): CertificateThumbprints {
  return {
    sha1Thumbprint: createHash('sha1').update(raw).digest('base64url'),
    sha256Thumbprint: createHash('sha256').update(raw).digest('base64url'),
  }
}
