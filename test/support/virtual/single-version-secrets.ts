import type { SecretStore } from '../../../lib/secret/secret-store.ts'

/** A store whose secrets have one version. */
export function singleVersionSecrets(get: SecretStore['get']): SecretStore {
  return { get, getPrevious: () => Promise.resolve(undefined) }
}
