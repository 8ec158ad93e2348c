import { dirname, join } from 'node:path'
import { createLazy } from '../base/single-flight.ts'
import type { KeyService } from '../signing/key-service.ts'
import type { SecretsPlace } from './open-store.ts'

/** The folder of the keys where secrets are files. It is beside the folder of secrets. */
export function keyFolderOf(secretsFolder: string): string {
  return join(dirname(secretsFolder), 'kms')
}

/** Keys that never leave their service: AWS KMS where secrets are in Secrets Manager, else files. Loaded at its first use. */
export function openKeyService(place: SecretsPlace): KeyService {
  const adapter = createLazy(() => importKeyService(place))
  return {
    publicKey: async (alias) => await (await adapter.get()).publicKey(alias),
    sign: async (request) => await (await adapter.get()).sign(request),
  }
}

async function importKeyService(place: SecretsPlace): Promise<KeyService> {
  switch (place.kind) {
    case 'secrets_manager':
      return (await import('../adapters/aws/kms-key-service.ts')).kmsKeyService()
    case 'files':
      return (await import('../adapters/files/file-key-service.ts')).fileKeyService(keyFolderOf(place.folder))
  }
}
