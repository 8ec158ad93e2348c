import { Token } from 'aws-cdk-lib'
import type { ApiDomainSettings } from './api-domain.ts'

interface PublicUrlSettings {
  readonly publicUrl?: string
  readonly domain?: ApiDomainSettings
}

/**
 * The public URL of a stage: what the operator sets, the domain, or else the URL of the HTTP API itself, which only the deployment
 * knows.
 */
export function publicUrlOf({ publicUrl, domain }: PublicUrlSettings, apiUrl: string): string {
  return publicUrl ?? (domain && urlOf(domain)) ?? apiUrl
}

/** @throws {Error} if the URL is not valid, or not that of the domain */
export function checkPublicUrl({ publicUrl, domain }: PublicUrlSettings): void {
  if (publicUrl === undefined) return
  if (Token.isUnresolved(publicUrl) || !publicUrl.startsWith('https://') || !URL.canParse(publicUrl))
    throw new Error(
      'publicUrl must be the https:// address at which callers reach Tokenwell, and must be known before the deployment. Without publicUrl and domain it is the URL of the HTTP API.',
    )
  if (domain && publicUrl !== urlOf(domain))
    throw new Error(
      `publicUrl is ${publicUrl}, but the domain has the URL ${urlOf(domain)}. Take publicUrl out, or set it to the URL of the domain. To keep a former iss, set issuer in each jwtBuilder.`,
    )
}

function urlOf({ name }: ApiDomainSettings): string {
  return `https://${name}`
}
