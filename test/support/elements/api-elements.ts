import { mkdir, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Workspace } from '../../../infra/local/workspace.ts'
import { secretPath } from '../../../lib/adapters/files/file-secrets.ts'
import { secretPrefix } from '../../../lib/configuration/deployment.ts'
import { type ElementChanges, exampleElements, type RawElements } from './elements.ts'

/** `theElements`, and where the API of `conn` is; the CA that signed for it has a trust store of its own. */
export function elementsWithApi(issuer: string, origin: string, changes: ElementChanges = {}): RawElements {
  const endpoint = { host: origin, sslCertsRef: 'theApiSsl', ...changes.endpoint }
  const elements = exampleElements(issuer, { ...changes, endpoint })
  return {
    ...elements,
    ssl: { ...elements['ssl'], theApiSsl: { trustStoreRef: 'theApiTrust' } },
    keyStore: { ...elements['keyStore'], theApiTrust: { location: 'tokenwell/local/api-ca' } },
  }
}

/** Puts the CA among the secrets of a workspace of these elements. */
export async function trustApi({ secretsFolder, deployment }: Workspace, caCertificate: string): Promise<void> {
  const path = secretPath(secretsFolder, deployment.stage, `${secretPrefix(deployment)}api-ca`)
  await mkdir(dirname(path), { recursive: true })
  await writeFile(path, caCertificate)
}
