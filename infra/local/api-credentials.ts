import { TokenwellError } from '../../lib/base/tokenwell-error.ts'
import { isOfSecret } from '../../lib/configuration/assertion-configuration.ts'
import { type Connection, isServed, type LocalConnection, tokensOf } from '../../lib/configuration/connection.ts'
import { keyOf } from '../../lib/configuration/element.ts'
import { isSharedKeyAlgorithm } from '../../lib/configuration/signature-algorithm.ts'
import { useOfKey } from '../../lib/get-token/local-tokens.ts'
import { fileOf, publicKeys } from './foreign-clients.ts'
import type { Workspace } from './workspace.ts'

/**
 * What the operators of APIs need to accept the tokens that Tokenwell signs itself, and what they must give for basic authentication. Text
 * with one part for each key or user.
 */
export async function describeApiCredentials(
  connections: readonly Connection[],
  workspace: Workspace,
): Promise<readonly string[]> {
  const parts = connections.map(async (connection) => [
    ...(await Promise.all(
      tokensOf(connection).flatMap((each) => (isServed(each) ? [] : describeKey(each, workspace))),
    )),
    ...describePassword(connection, workspace),
  ])
  return [...new Set((await Promise.all(parts)).flat())]
}

async function describeKey(token: LocalConnection, workspace: Workspace): Promise<string> {
  const { assertion } = token.grant
  const facts = [
    `token           a JWT of ${keyOf(token.authentication)}, signed with ${assertion.algorithm}, valid for ${assertion.expiresInSeconds} s`,
    ...(await keyFacts(token, workspace)),
  ]
  return part(`register a key of Tokenwell at ${apiOf(token)}:`, facts)
}

async function keyFacts(token: LocalConnection, workspace: Workspace): Promise<readonly string[]> {
  const { assertion } = token.grant
  if (!isOfSecret(assertion)) return []
  const { location } = assertion.key
  if (isSharedKeyAlgorithm(assertion.algorithm))
    return [`shared key      Write the one that the API gives you to ${fileOf(location, workspace)}.`]
  try {
    return await publicKeys(assertion, useOfKey(token), workspace)
  } catch (error) {
    if (error instanceof TokenwellError) return [`not usable      ${error.message}`]
    throw error
  }
}

function describePassword(connection: Connection, workspace: Workspace): readonly string[] {
  const basic = connection.api?.basicAuthentication
  if (!basic) return []
  const fact = `password        Write the one that the API gives you to ${fileOf(basic.passwordSecret, workspace)}.`
  return [part(`use basic authentication with the user ${basic.user} at ${apiOf(connection)}:`, [fact])]
}

function apiOf({ name, api }: Connection): string {
  return api?.origin ?? `the API of the connection ${name}`
}

function part(title: string, facts: readonly string[]): string {
  return [`  api        ${title}`, ...facts.map((fact) => `             ${fact}`)].join('\n')
}
