import { type Application, createApplication, type Ports } from '../../lib/application/application.ts'
import { readEnvironment } from '../../lib/application/environment.ts'
import { openPorts } from '../../lib/application/open-ports.ts'
import { exampleElements } from '../support/elements/elements.ts'
import { createBareWorkspace, environmentOf } from '../support/functions/load-function.ts'
import type { FarEnd } from './far-end.ts'
import type { PeerAlgorithm } from './peers.ts'

/** Registers work to do at the end. */
export type CleanUp = Parameters<typeof createBareWorkspace>[0]

/** The ports of the functions, opened for a folder of elements and secrets. */
export async function openTokenwell(
  t: CleanUp,
  { issuer, certificate }: Pick<FarEnd, 'issuer' | 'certificate'>,
  algorithm: PeerAlgorithm,
) {
  const elements = exampleElements(issuer, { builder: { signatureAlgorithm: algorithm } })
  const workspace = await createBareWorkspace(t, elements, certificate)
  return openPorts(readEnvironment(environmentOf(workspace)))
}

/** The use case with the product's own wiring, in this process. Its logs and metrics are dropped. */
export async function createTokenwell(
  t: CleanUp,
  farEnd: Pick<FarEnd, 'issuer' | 'certificate'>,
  algorithm: PeerAlgorithm,
  changes: Partial<Ports> = {},
): Promise<Application['getToken']> {
  const ports = await openTokenwell(t, farEnd, algorithm)
  return createApplication({ ...ports, log() {}, ...changes }).getToken
}

/** Logs and metrics as in production. */
export const telling = { POWERTOOLS_LOG_LEVEL: 'INFO', POWERTOOLS_METRICS_DISABLED: 'false' } as const

/** For this process from now on. Powertools reads these variables at each call. */
export function tellAll(): void {
  Object.assign(process.env, telling)
}
