import type { GetToken } from '../../lib/token/get-token.ts'
import { readEnvironment } from '../../lib/wiring/environment.ts'
import { openPorts } from '../../lib/wiring/open-ports.ts'
import { createParts } from '../../lib/wiring/parts.ts'
import { readVariables } from '../../lib/wiring/read-variables.ts'
import { theElements } from '../support/elements.ts'
import { createWorkspace, environmentOf } from '../support/the-set.ts'
import type { FarEnd } from './far-end.ts'
import type { PeerAlgorithm } from './peers.ts'

/** What clears up is called with each thing that is to be done in the end. */
export type CleanUp = Parameters<typeof createWorkspace>[0]

/** The use case as it is wired, in this process, over a folder of elements and secrets. */
export async function createTokenwell(
  t: CleanUp,
  { issuer, certificate }: Pick<FarEnd, 'issuer' | 'certificate'>,
  algorithm: PeerAlgorithm,
): Promise<GetToken> {
  const elements = theElements(issuer, { builder: { signatureAlgorithm: algorithm } })
  const workspace = await createWorkspace(t, elements, certificate)
  return createParts(openPorts(readVariables(environmentOf(workspace), readEnvironment))).getToken
}
