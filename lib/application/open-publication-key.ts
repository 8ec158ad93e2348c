import { createLazy } from '../base/single-flight.ts'
import { PublicationKeyError, type PublicationSigner } from '../key-lifecycle/publication-key.ts'

/** Where the key for publications is. */
export type PublicationKeyPlace =
  | { readonly kind: 'kms'; readonly keyId: string }
  /** A file of one machine. It is made if it does not exist. */
  | { readonly kind: 'file'; readonly path: string }
  /** There is no key. Nothing can be published, and no published record is accepted. */
  | { readonly kind: 'none' }

export function openPublicationKey(place: PublicationKeyPlace): PublicationSigner {
  const adapter = createLazy(() => importPublicationKey(place))
  return {
    publicKey: async () => await (await adapter.get()).publicKey(),
    sign: async (bytes) => await (await adapter.get()).sign(bytes),
  }
}

async function importPublicationKey(place: PublicationKeyPlace): Promise<PublicationSigner> {
  switch (place.kind) {
    case 'kms':
      return (await import('../adapters/aws/kms-publication-key.ts')).kmsPublicationKey(place)
    case 'file':
      return (await import('../adapters/files/file-publication-key.ts')).filePublicationKey(place.path)
    case 'none':
      throw new PublicationKeyError(
        'No key for publications is configured. Set TOKENWELL_PUBLICATION_KEY to kms:<key id>, or to the path of a file.',
      )
  }
}
