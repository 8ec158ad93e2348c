import type { SecretStore } from '../secret/secret-store.ts'
import { fileSecrets } from './file-secrets.ts'
import { loadedOnce } from './loaded-once.ts'

/** Where secrets are kept. */
export type SecretsPlace = { readonly kind: 'secrets_manager' } | { readonly kind: 'files'; readonly folder: string }

export function openSecrets(place: SecretsPlace, stage: string): SecretStore {
  const open = loadedOnce(() => load(place, stage))
  return {
    get: async (name) => (await open()).get(name),
    getPrevious: async (name) => (await open()).getPrevious(name),
  }
}

async function load(place: SecretsPlace, stage: string): Promise<SecretStore> {
  switch (place.kind) {
    case 'secrets_manager':
      return (await import('./secrets-manager-secrets.ts')).secretsManagerSecrets({ stage })
    case 'files':
      return fileSecrets(place.folder, stage)
  }
}
