import { Secret } from './secret.ts'

/** A secret of one line as it was meant: a line break at its end is an editor's, not the secret's. */
export function oneLine(secret: Secret): Secret {
  return new Secret(secret.reveal().replace(/\r?\n$/, ''))
}
