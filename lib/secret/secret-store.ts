import type { Secret } from './secret.ts'

/** Port: where secrets are kept. An element holds a secret's name, never the secret. */
export interface SecretStore {
  /**
   * The secret of that name as text.
   * @throws {SecretError} when there is none, or it can't be read
   */
  get(name: string): Promise<Secret>
}
