import type { Secret } from './secret.ts'

/** Port: where secrets are kept. An element holds a secret's name, never the secret. */
export interface SecretStore {
  /**
   * The secret of that name as text.
   * @throws {SecretError} when there is none, or it can't be read
   */
  get(name: string): Promise<Secret>
  /**
   * Its version before that, as text; undefined where there is none.
   * @throws {SecretError} when it can't be read
   */
  getPrevious(name: string): Promise<Secret | undefined>
}
