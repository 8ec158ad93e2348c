import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { isNameOfSecret } from '../configuration/name-of-secret.ts'
import { secretPrefix } from '../configuration/surroundings.ts'
import { Secret } from '../secret/secret.ts'
import { SecretError } from '../secret/secret-error.ts'
import type { SecretStore } from '../secret/secret-store.ts'

/** Secrets as files of one folder: `tokenwell/<stage>/<name>` is the file `<name>`. A file has one version. */
export function fileSecrets(folder: string, stage: string): SecretStore {
  return {
    async get(name) {
      const path = secretPath(folder, stage, name)
      try {
        return new Secret(await readFile(path, 'utf8'))
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException
        if (code === 'ENOENT')
          throw new SecretError('secret_missing', `The secret ${name} does not exist: it should be the file ${path}.`)
        throw new SecretError(
          'secret_denied',
          `The secret ${name} can't be read (${code}): it should be the file ${path}.`,
        )
      }
    },
    getPrevious: () => Promise.resolve(undefined),
  }
}

/** @throws {SecretError} when the name is not this stage's: nothing outside the folder is ever read */
export function secretPath(folder: string, stage: string, name: string): string {
  const prefix = secretPrefix({ stage })
  if (!isNameOfSecret(name, prefix))
    throw new SecretError('secret_denied', `The name of a secret must begin with ${prefix}.`)
  return join(folder, name.slice(prefix.length))
}
