import { Stack } from 'aws-cdk-lib'
import { ArnPrincipal, CompositePrincipal, Role } from 'aws-cdk-lib/aws-iam'
import { Construct } from 'constructs'
import { identityRoleName } from '../../lib/configuration/identity-role.ts'
import { idsOfTokenFunctions } from './function-table.ts'
import { noNarrowerResource } from './grants.ts'
import { identityPolicy } from './identity-policy.ts'
import { identityRoleArn } from './identity-role-name.ts'
import type { StageFunctions } from './stage-functions.ts'
import { suppressWildcard } from './suppressions.ts'
import type { WebIdentity } from './web-identities.ts'

/** One role for which AWS signs identity tokens. */
export interface IdentityRole {
  readonly name: string
  /** Undefined for the role of the stage. */
  readonly connection?: string
  readonly identities: readonly WebIdentity[]
}

export interface IdentityRolesProps {
  readonly stage: string
  readonly roles: readonly IdentityRole[]
  readonly functions: StageFunctions
  /** The ARNs of the roles of functions in other regions. */
  readonly users: readonly string[]
}

/** IAM allows no more characters in the name of a role. */
const mostCharacters = 64
/** Each is a resource of the stack, and a part of the policies of four functions. */
const mostConnections = 50

/**
 * The roles that the identities of a stage need: one of the stage, and one for each connection that has its own.
 * @throws {Error} for a name that is too long, names that are the same for IAM, and too many roles
 */
export function identityRolesOf(stage: string, identities: readonly WebIdentity[]): IdentityRole[] {
  const ofStage = identities.filter(({ connections }) => connections === undefined)
  const connections = [...new Set(identities.flatMap(({ connections: own = [] }) => own))].toSorted()
  if (connections.length > mostConnections)
    throw new Error(
      `${connections.length} connections have an identity role of their own, but a stage can have at most ${mostConnections}. Set the role of an awsWebIdentity to stage, or divide the connections among several stages.`,
    )
  const ofConnections = connections.map((connection) => ({
    name: identityRoleName(stage, connection),
    connection,
    identities: identities.filter(({ connections: own = [] }) => own.includes(connection)),
  }))
  for (const role of ofConnections) checkName(role.name, role.connection)
  checkDifferent(connections)
  return [...(ofStage.length > 0 ? [{ name: identityRoleName(stage), identities: ofStage }] : []), ...ofConnections]
}

function checkName(name: string, connection: string): void {
  if (name.length > mostCharacters)
    throw new Error(
      `The identity role of the connection ${connection} would be ${name}, with ${name.length} characters. IAM allows ${mostCharacters}. Give the connection a shorter id, or set the role of its awsWebIdentity to stage.`,
    )
}

/** For IAM, names that differ by upper and lower case alone are the same. */
function checkDifferent(connections: readonly string[]): void {
  const bySpelling = Map.groupBy(connections, (connection) => connection.toLowerCase())
  const alike = [...bySpelling.values()].find(({ length }) => length > 1)
  if (alike)
    throw new Error(
      `The connections ${alike.join(' and ')} cannot both have an identity role of their own: IAM does not tell upper from lower case in the names of roles. Set the role of an awsWebIdentity to stage, or rename a connection.`,
    )
}

/**
 * The roles in whose name AWS signs identity tokens. Only the functions that get tokens may assume them, and the roles may do nothing else than ask
 * for the tokens of their elements. Authorization servers know Tokenwell by the fixed names of these roles.
 */
export class IdentityRoles extends Construct {
  constructor(scope: Construct, id: string, { stage, roles, functions, users }: IdentityRolesProps) {
    super(scope, id)
    const own = idsOfTokenFunctions.map((functionId) => functions[functionId].role.roleArn)
    for (const { name, connection, identities } of roles) {
      const role = new Role(this, connection === undefined ? 'Stage' : `Connection-${connection}`, {
        roleName: name,
        description: `Tokenwell: AWS signs identity tokens of ${connection ?? `the stage ${stage}`} for this role`,
        assumedBy: new CompositePrincipal(...[...own, ...users].map((arn) => new ArnPrincipal(arn))),
        inlinePolicies: { IdentityTokens: identityPolicy(name, { stage, connection, identities }) },
      })
      suppressWildcard(role, '*', noNarrowerResource)
    }
  }

  /** The ARNs of these roles, also where another region of the stage makes them. */
  static arnsOf(scope: Construct, stage: string, roles: readonly IdentityRole[]): string[] {
    return roles.map(({ connection }) => identityRoleArn(Stack.of(scope), stage, connection))
  }
}
