import type { Command } from 'commander'
import { describeApi } from '../../lib/application/inspect-metadata.ts'
import { openSecrets } from '../../lib/application/open-store.ts'
import { TokenwellError } from '../../lib/base/tokenwell-error.ts'
import { isWebUrl } from '../../lib/configuration/value-syntax.ts'
import { type ApiMetadata, proposeElements } from '../../lib/discovery/api-metadata.ts'

/** Prints what an API says about itself, and elements to begin with. The exit code is 1 if it says nothing. */
export async function printApi(url: string, { json }: { readonly json: boolean }, command: Command): Promise<void> {
  if (!isWebUrl(url) || !url.startsWith('https://'))
    command.error(`${JSON.stringify(url)} is not the URL of an API. Write one such as https://api.example.com/orders.`)
  const metadata = await read(url, command)
  if (!metadata) {
    console.log(
      `The API at ${url} publishes no metadata about itself (RFC 9728). Ask its operator for the issuer, the scopes and the resource.`,
    )
    process.exitCode = 1
    return
  }
  const elements = proposeElements(url, metadata)
  if (json) return console.log(JSON.stringify({ ...metadata, elements }, undefined, 2))
  for (const line of describe(metadata)) console.log(line)
  console.log('\nElements to begin with. Register the client, and replace what is in angle brackets:\n')
  console.log(JSON.stringify(elements, undefined, 2))
}

async function read(url: string, command: Command): Promise<ApiMetadata | undefined> {
  try {
    return await describeApi(url, openSecrets({ kind: 'files', folder: '.tokenwell/secrets' }, 'local'))
  } catch (error) {
    if (error instanceof TokenwellError) return command.error(error.message)
    throw error
  }
}

function describe({ url, resource, authorizationServers, scopes, bearerMethods }: ApiMetadata): readonly string[] {
  const list = (values: readonly string[]) => (values.length > 0 ? values.join(', ') : 'not listed')
  return [
    `metadata               ${url}`,
    `resource               ${resource}`,
    `authorization servers  ${list(authorizationServers)}`,
    `scopes                 ${list(scopes)}`,
    `places of a token      ${list(bearerMethods)}`,
  ]
}
