import { assertionSeconds } from './assertion-seconds.ts'
import { checkSecretNames } from './check-secret-names.ts'
import { collectElements } from './collect-elements.ts'
import { ConfigurationError } from './configuration-error.ts'
import type { KeyReference } from './connection.ts'
import type { CertificateThumbprint } from './element.ts'
import type { ElementStore } from './element-store.ts'
import { type Finding, isMistake } from './finding.ts'
import { resolveKey } from './resolve-key.ts'
import { defaultSignatureAlgorithm, type SignatureAlgorithm } from './signature-algorithm.ts'
import type { Surroundings } from './surroundings.ts'

/** What one jwtBuilder signs with, whichever connections use it. */
export interface BuilderKey {
  readonly jwtBuilder: string
  readonly algorithm: SignatureAlgorithm
  readonly key: KeyReference
  readonly certificateThumbprint: CertificateThumbprint
  /** From the making of an assertion to its `exp`. */
  readonly assertionSeconds: number
}

/**
 * Reads a jwtBuilder and its key store, and nothing else.
 * @returns undefined where there is no such jwtBuilder
 * @throws {ConfigurationError} with all its mistakes at once
 */
export async function resolveBuilderKey(
  elements: ElementStore,
  surroundings: Surroundings,
  jwtBuilder: string,
): Promise<BuilderKey | undefined> {
  const element = { kind: 'jwtBuilder', id: jwtBuilder } as const
  const graph = await collectElements(elements, [element])
  if (!graph.has(element.kind, element.id)) return undefined

  const builder = graph.get('jwtBuilder', jwtBuilder)
  const findings: Finding[] = [...graph.findings, ...checkSecretNames(graph.readings, surroundings)]
  const key =
    builder &&
    resolveKey(
      {
        graph,
        surroundings,
        note: (severity, of, attribute, sentence) => findings.push({ severity, element: of, attribute, sentence }),
      },
      element,
      builder,
    )
  if (!key || findings.some(isMistake)) throw new ConfigurationError(findings.filter(isMistake))
  return {
    jwtBuilder,
    algorithm: builder.signatureAlgorithm ?? defaultSignatureAlgorithm,
    key,
    certificateThumbprint: builder.certificateThumbprint ?? 'none',
    assertionSeconds: assertionSeconds(builder),
  }
}
