import assert from 'node:assert/strict'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { fileElements } from '../../../lib/adapters/files/file-elements.ts'
import { type Connection, isLocated, isServed, type LocatedConnection } from '../../../lib/configuration/connection.ts'
import type { Deployment } from '../../../lib/configuration/deployment.ts'
import type { ElementStore } from '../../../lib/configuration/element-store.ts'
import { ConfigurationError, describeFinding, type Finding } from '../../../lib/configuration/finding.ts'
import { validateElements } from '../../../lib/configuration/inspect-elements.ts'
import { freezeDeeply, inspectConnection } from '../../../lib/configuration/resolve-connection.ts'
import { temporaryFolder } from '../process/temporary-folder.ts'
import { type RawElements, withoutUndefined } from './elements.ts'

export const exampleIssuer = 'https://as.example.com'

export const localDeployment: Deployment = {
  stage: 'local',
  publicUrl: 'https://tokenwell.example',
  isLambda: false,
}

/** Writes these elements to a file and returns its path. */
export async function elementsFileOf(t: TestContext, elements: RawElements): Promise<string> {
  const folder = await temporaryFolder(t, { 'elements.json': JSON.stringify(withoutUndefined(elements)) })
  return join(folder, 'elements.json')
}

export async function elementStoreOf(t: TestContext, elements: RawElements): Promise<ElementStore> {
  return fileElements(await elementsFileOf(t, elements))
}

/** The connection `conn` of these elements, whose token a server issues, and the findings about it. */
export async function resolveConn(
  t: TestContext,
  elements: RawElements,
  deployment = localDeployment,
): Promise<LocatedConnection & { readonly warnings: readonly Finding[] }> {
  const connection = await resolveAnyConn(t, elements, deployment)
  assert(isServed(connection) && isLocated(connection))
  return connection
}

/** The connection `conn` of these elements, whatever its tokens are, and the findings about it. */
export async function resolveAnyConn(
  t: TestContext,
  elements: RawElements,
  deployment = localDeployment,
): Promise<Connection & { readonly warnings: readonly Finding[] }> {
  const { connection, findings } = await inspectConnection(await elementStoreOf(t, elements), deployment, 'conn')
  if (!connection) throw new ConfigurationError(findings.filter(({ severity }) => severity === 'mistake'))
  return freezeDeeply({ ...connection, warnings: findings })
}

/** The mistakes that keep `conn` from being used, one line each. */
export async function mistakesOf(
  t: TestContext,
  elements: RawElements,
  deployment = localDeployment,
): Promise<string[]> {
  const error = await configurationErrorOf(resolveAnyConn(t, elements, deployment))
  return error.message.split('\n')
}

/** What `npm run validate` says of these elements. */
export async function findingsOf(
  t: TestContext,
  elements: RawElements,
  deployment = localDeployment,
): Promise<string[]> {
  const store = await elementStoreOf(t, elements)
  return (await validateElements(store, deployment)).map(describeFinding)
}

export async function configurationErrorOf(failing: Promise<unknown>): Promise<ConfigurationError> {
  const error: unknown = await failing.then(
    () => assert.fail('there was no mistake'),
    (reason: unknown) => reason,
  )
  assert(error instanceof ConfigurationError, String(error))
  return error
}

/** Each pattern matches exactly one line, and there are no more lines. */
export function assertLines(lines: readonly string[], patterns: readonly RegExp[]): void {
  const all = lines.join('\n')
  for (const pattern of patterns)
    assert.equal(
      lines.filter((line) => pattern.test(line)).length,
      1,
      `expected one line that matches ${pattern} in:\n${all}`,
    )
  assert.equal(lines.length, patterns.length, `expected ${patterns.length} lines:\n${all}`)
}
