import { getPublicSuffix } from 'tldts'
import { withoutAccepted } from '../../lib/configuration/advice.ts'
import type { ElementReference } from '../../lib/configuration/element.ts'
import type { ElementReading, ElementStore } from '../../lib/configuration/element-store.ts'
import type { Finding } from '../../lib/configuration/finding.ts'

/**
 * The findings on domains below which anybody can register a name, by the Public Suffix List (https://publicsuffix.org). Only the command
 * has the list: for the functions it would be too large, and old on the day of their deployment.
 */
export async function checkPublicSuffixes(elements: ElementStore): Promise<readonly Finding[]> {
  const references = (await elements.ids('oAuthConfig')).map((id) => ({ kind: 'oAuthConfig', id }) as const)
  const readings = (await elements.get(references)).filter((reading) => reading !== undefined)
  return withoutAccepted(readings.flatMap(findingsOf), readings)
}

function findingsOf({ reference, attributes }: ElementReading): Finding[] {
  const hostFrom = 'hostFrom' in attributes ? attributes.hostFrom : undefined
  return (hostFrom?.within ?? []).flatMap((pattern) => findingOn(pattern, reference) ?? [])
}

function findingOn(pattern: string, element: ElementReference): Finding | undefined {
  if (!pattern.startsWith('*.')) return undefined
  const domain = pattern.slice(2)
  const place = { element, attribute: 'hostFrom' }
  if (getPublicSuffix(domain) === domain)
    return {
      ...place,
      severity: 'mistake',
      sentence: `Anybody can register a domain below ${domain}, so ${pattern} in within allows tokens to go to any of them. Name a domain of the provider.`,
    }
  if (getPublicSuffix(domain, { allowPrivateDomains: true }) === domain)
    return {
      ...place,
      severity: 'warning',
      sentence: `The provider of ${domain} gives names below it to its customers, so ${pattern} in within allows tokens to go to all of them. Name a host, unless the provider itself runs the API at each name.`,
    }
  return undefined
}
