import { timingSafeEqual } from 'node:crypto'
import { createLocalJWKSet, type JSONWebKeySet, type JWTPayload, jwtVerify } from 'jose'
import type Provider from 'oidc-provider'
import { errors } from 'oidc-provider'
import {
  accountCredentials,
  jwtBearer,
  tokenExchange,
  tokenTypesByShortName,
} from '../../lib/configuration/grant-type.ts'

/* The grants that oidc-provider does not implement itself. */

type ClientToken = InstanceType<Provider['ClientCredentials']>
type Client = InstanceType<Provider['Client']>
type UsersToken = InstanceType<Provider['AccessToken']>

async function answerOf(token: ClientToken | UsersToken): Promise<object> {
  const value = await token.save()
  return { access_token: value, token_type: token.tokenType, expires_in: token.expiration, scope: token.scope }
}

/** RFC 6749 section 4.3. */
export function addPasswordGrant(provider: Provider, users: ReadonlyMap<string, string>): void {
  provider.registerGrantType<{ username?: string; password?: string; scope?: string }>(
    'password',
    async (ctx) => {
      const { username = '', password = '', scope } = ctx.oidc.params
      if (!isPassword(users.get(username), password))
        throw new errors.InvalidGrant('the user name or password is wrong')
      ctx.body = await answerOf(new provider.ClientCredentials({ client: ctx.oidc.client, ...(scope && { scope }) }))
    },
    ['username', 'password', 'scope'],
  )
}

/** Zoom's grant: the client names its account. */
export function addAccountCredentialsGrant(provider: Provider): void {
  provider.registerGrantType<{ account_id?: string; scope?: string }>(
    accountCredentials,
    async (ctx) => {
      const { account_id: account, scope } = ctx.oidc.params
      if (account === undefined) throw new errors.InvalidRequest('account_id is missing')
      ctx.body = await answerOf(new provider.ClientCredentials({ client: ctx.oidc.client, ...(scope && { scope }) }))
    },
    ['account_id', 'scope'],
  )
}

function isPassword(right: string | undefined, given: string): boolean {
  const [a, b] = [Buffer.from(right ?? ''), Buffer.from(given)]
  return right !== undefined && a.length === b.length && timingSafeEqual(a, b)
}

/** The longest lifetime of an assertion, as at Box. */
const longestSeconds = 120

/** RFC 7523 sections 2.1 and 3. The keys of the client sign the assertion, and each assertion is accepted once. */
export function addJwtBearerGrant(provider: Provider): void {
  const used = new Set<string>()
  provider.registerGrantType<{ assertion?: string; scope?: string }>(
    jwtBearer,
    async (ctx) => {
      const { client, params } = ctx.oidc
      const { assertion = '', scope = '' } = params
      const claims = await verify(provider, client.clientId, client.jwks?.keys ?? [], assertion)
      if (used.has(assertion)) throw new errors.InvalidGrant('the assertion was used before')
      used.add(assertion)
      const granted = [scope, scopeIn(claims)].filter(Boolean).join(' ')
      const token = { client, ...(granted && { scope: granted }) }
      const { sub: accountId } = claims
      if (accountId === undefined || accountId === client.clientId)
        ctx.body = await answerOf(new provider.ClientCredentials(token))
      else {
        const grantId = await new provider.Grant({ accountId, clientId: client.clientId }).save()
        ctx.body = await answerOf(new provider.AccessToken({ ...token, accountId, grantId, gty: jwtBearer }))
      }
    },
    ['assertion', 'scope'],
  )
}

interface ExchangeParameters {
  readonly subject_token?: string
  readonly subject_token_type?: string
  readonly actor_token?: string
  readonly actor_token_type?: string
  readonly requested_token_type?: string
  readonly scope?: string
}

/**
 * RFC 8693 section 2. The keys of the client sign a JWT, and each JWT is accepted once. An access token is one of this server. The answer to an
 * invalid token is `invalid_request` (section 2.2.2).
 */
export function addTokenExchangeGrant(provider: Provider): void {
  const used = new Set<string>()
  const { jwt, access_token: accessToken } = tokenTypesByShortName

  async function demandValid(client: Client, name: string, token: string | undefined, type: string | undefined) {
    if (token === undefined || type === undefined) throw new errors.InvalidRequest(`${name} or its type is missing`)
    if (type === accessToken) {
      const found = await provider.ClientCredentials.find(token)
      if (!found?.isValid) throw new errors.InvalidRequest(`the ${name} is not valid`)
    } else if (type === jwt) {
      await verify(provider, client.clientId, client.jwks?.keys ?? [], token).catch((error: Error) => {
        throw new errors.InvalidRequest(`the ${name} is not valid: ${error.message}`)
      })
      if (used.has(token)) throw new errors.InvalidRequest(`the ${name} was used before`)
      used.add(token)
    } else throw new errors.InvalidRequest(`the ${name}_type is not supported`)
  }

  provider.registerGrantType<ExchangeParameters>(
    tokenExchange,
    async (ctx) => {
      const { client, params } = ctx.oidc
      const { requested_token_type: requested = accessToken, scope } = params
      await demandValid(client, 'subject_token', params.subject_token, params.subject_token_type)
      if (params.actor_token !== undefined || params.actor_token_type !== undefined)
        await demandValid(client, 'actor_token', params.actor_token, params.actor_token_type)
      if (requested !== accessToken) throw new errors.InvalidRequest('the requested_token_type is not supported')
      const answer = await answerOf(new provider.ClientCredentials({ client, ...(scope && { scope }) }))
      ctx.body = { ...answer, issued_token_type: accessToken }
    },
    ['subject_token', 'subject_token_type', 'actor_token', 'actor_token_type', 'requested_token_type', 'scope'],
  )
}

async function verify(
  provider: Provider,
  clientId: string,
  keys: readonly object[],
  assertion: string,
): Promise<JWTPayload> {
  try {
    const { payload } = await jwtVerify(assertion, createLocalJWKSet({ keys } as JSONWebKeySet), {
      issuer: clientId,
      audience: [provider.issuer, `${provider.issuer}/token`],
      requiredClaims: ['iat', 'exp', 'jti'],
      maxTokenAge: longestSeconds,
    })
    return payload
  } catch (error) {
    throw new errors.InvalidGrant(`the assertion is not valid: ${error instanceof Error ? error.message : ''}`)
  }
}

function scopeIn({ scope }: JWTPayload): string {
  return Array.isArray(scope) ? scope.join(' ') : typeof scope === 'string' ? scope : ''
}
