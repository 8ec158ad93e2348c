import type { OpenRotatingSecret } from '../rotation/rotating-secret.ts'
import { fileRotation } from './file-rotation.ts'
import { loadedOnce } from './loaded-once.ts'
import type { SecretsPlace } from './open-secrets.ts'

export function openRotation(place: SecretsPlace, stage: string): OpenRotatingSecret {
  const open = loadedOnce(() => load(place, stage))
  return async (name, rotationToken) => (await open())(name, rotationToken)
}

async function load(place: SecretsPlace, stage: string): Promise<OpenRotatingSecret> {
  switch (place.kind) {
    case 'secrets_manager':
      return (await import('./secrets-manager-rotation.ts')).secretsManagerRotation({ stage })
    case 'files':
      return fileRotation(place.folder, stage)
  }
}
