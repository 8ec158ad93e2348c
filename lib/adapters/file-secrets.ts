import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { isNameOfSecret } from '../configuration/name-of-secret.ts'
import { secretPrefix } from '../configuration/surroundings.ts'
import { Secret } from '../secret/secret.ts'
import { SecretError } from '../secret/secret-error.ts'
import type { SecretStore } from '../secret/secret-store.ts'
import { secretText } from '../secret/secret-text.ts'

/** Secrets as files of one folder: `tokenwell/<stage>/<name>` is the file `<name>`. A file has one version. */
export function fileSecrets(folder: string, stage: string): SecretStore {
  return {
    async get(name) {
      const path = secretPath(folder, stage, name)
      const bytes = await readFile(path).catch(({ code }: NodeJS.ErrnoException) => {
        if (code === 'ENOENT')
          throw new SecretError('secret_missing', `The secret ${name} does not exist: it should be the file ${path}.`)
        throw new SecretError(
          'secret_denied',
          `The secret ${name} can't be read (${code}): it should be the file ${path}.`,
        )
      })
      const text = secretText(bytes)
      if (text === undefined)
        throw new SecretError('secret_unreadable', `The secret ${name} is no text: store it in ${path} as UTF-8.`)
      return new Secret(text)
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
