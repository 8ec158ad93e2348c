import { globSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

/*
 * ministack refuses a template with a resource type that it does not know, and evaluates some policies otherwise than AWS. What is
 * changed here for its sake is not shown by the tests of this folder. `infra/operations.md` lists it for the first day of a real
 * account, and tests of `test/infra/stack` assert on the template.
 */

/** ministack does not know these types. */
const unknownTypes = ['AWS::SecretsManager::RotationSchedule']
const alarmType = 'AWS::CloudWatch::Alarm'
/** ministack evaluates these actions on the resource `*`, because a request names several parameters or a path. */
const actionsWithoutResource = /^ssm:(GetParameters|DeleteParameters)/
/** ministack does not know this condition key, so each statement with it would allow nothing. */
const unknownKey = 'dynamodb:LeadingKeys'

export interface LeftOut {
  /** The resources that are not deployed. */
  readonly resources: readonly Resource[]
  /** The actions that are allowed on all resources, or without a condition. */
  readonly widenedActions: readonly string[]
}

export interface Resource {
  readonly Type: string
  readonly Properties?: Readonly<Record<string, unknown>>
  DependsOn?: string | string[]
}

interface Statement {
  Action: string | string[]
  Resource?: unknown
  Condition?: unknown
}

/** Changes all templates of a synthesis, and says what was changed. */
export async function adaptToMinistack(folder: string, pattern = '*.template.json'): Promise<LeftOut> {
  const resources: Resource[] = []
  const widened = new Set<string>()
  for (const name of globSync(pattern, { cwd: folder })) {
    const template: { Resources: Record<string, Resource> } = JSON.parse(await readFile(join(folder, name), 'utf8'))
    resources.push(...leaveOut(template.Resources))
    for (const statement of statementsIn(template.Resources)) for (const action of widen(statement)) widened.add(action)
    await writeFile(join(folder, name), JSON.stringify(template))
  }
  return { resources, widenedActions: [...widened].sort() }
}

/** ministack refuses alarms on a metric that is computed from others. */
function isUnknown({ Type, Properties }: Resource): boolean {
  return unknownTypes.includes(Type) || (Type === alarmType && Properties?.['Metrics'] !== undefined)
}

function leaveOut(resources: Record<string, Resource>): Resource[] {
  const unknown = Object.entries(resources).filter(([, resource]) => isUnknown(resource))
  const ids = unknown.map(([id]) => id)
  for (const id of ids) delete resources[id]
  for (const resource of Object.values(resources))
    if (resource.DependsOn) resource.DependsOn = [resource.DependsOn].flat().filter((id) => !ids.includes(id))
  return unknown.map(([, resource]) => resource)
}

/** The statements of all policies, wherever they are. */
function statementsIn(value: unknown): Statement[] {
  if (typeof value !== 'object' || value === null) return []
  const statements = 'Statement' in value && Array.isArray(value.Statement) ? (value.Statement as Statement[]) : []
  return [...statements, ...Object.values(value).flatMap(statementsIn)]
}

/** @returns the actions of the statement, if it was changed */
function widen(statement: Statement): string[] {
  const actions = [statement.Action].flat()
  const hasNoResource = actions.some((action) => actionsWithoutResource.test(action))
  const hasUnknownKey = JSON.stringify(statement.Condition ?? {}).includes(unknownKey)
  if (hasNoResource) statement.Resource = '*'
  if (hasUnknownKey) delete statement.Condition
  return hasNoResource || hasUnknownKey ? actions : []
}
