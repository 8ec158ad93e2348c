import type { Stack } from 'aws-cdk-lib'
import { type IPrincipal, Role } from 'aws-cdk-lib/aws-iam'
import { Construct } from 'constructs'

/** What a caller may do with a connection: get its tokens, or call its API without getting a token. */
export type ConnectionUse = 'token' | 'call'

/** A role for callers outside the account of the stage. */
export interface CallerRoleOptions {
  /**
   * The only principal that may assume the role: an account, a role of another account, an organization. All that it consists of is one
   * caller for Tokenwell. `withConditions` adds conditions of IAM to it.
   */
  readonly trusted: IPrincipal
  /** What the role may do, by connection: `{ orders: ['token'], reports: ['call'] }`. It may do nothing else. */
  readonly connections: Readonly<Record<string, readonly ConnectionUse[]>>
  /**
   * The name of the role, so that its ARN is known before the deployment: at most 64 characters.
   * @default - CloudFormation makes the name
   */
  readonly roleName?: string
  /**
   * When the principal assumes the role, it must send one of these external ids.
   * @default - no external id is needed
   */
  readonly externalIds?: readonly string[]
}

const uses: readonly string[] = ['token', 'call'] satisfies readonly ConnectionUse[]

/**
 * Creates the role without rights.
 * @throws {Error} if it would be for nothing, or for every AWS account
 */
export function createCallerRole(scope: Construct, id: string, options: CallerRoleOptions): Role {
  const { trusted, connections, roleName, externalIds = [] } = options
  const wanted = Object.entries(connections)
  if (wanted.length === 0) throw new Error(`callerRole ${id}: Name at least one connection.`)
  for (const [connection, of] of wanted)
    if (of.length === 0 || of.some((use) => !uses.includes(use)))
      throw new Error(`callerRole ${id}: The list of ${connection} must contain 'token', 'call' or both.`)
  const parent = scope.node.tryFindChild('Callers') ?? new Construct(scope, 'Callers')
  const role = new Role(parent, id, {
    assumedBy: trusted,
    description: `Tokenwell: ${wanted.map(([connection]) => connection).join(', ')}`.slice(0, descriptionLength),
    ...(roleName !== undefined && { roleName }),
    ...(externalIds.length > 0 && { externalIds: [...externalIds] }),
  })
  if (isForEverybody(role))
    throw new Error(
      `callerRole ${id}: Every AWS account could assume the role. Name an account, a role or an organization, or add conditions to the principal.`,
    )
  return role
}

const descriptionLength = 1_000

interface TrustStatement {
  readonly Principal?: string | Readonly<Record<string, unknown>>
  readonly Condition?: object
}

/** An external id is no condition here: it keeps a service from being misused, but it is no secret. */
function isForEverybody({ assumeRolePolicy, stack }: Role & { readonly stack: Stack }): boolean {
  const { Statement: statements } = stack.resolve(assumeRolePolicy) as { Statement: TrustStatement[] }
  return statements.some(({ Principal: principal, Condition: condition = {} }) => {
    const named = typeof principal === 'object' ? Object.values(principal).flat() : [principal]
    const limits = Object.values(condition).flatMap((test: object) => Object.keys(test))
    return named.includes('*') && limits.every((key) => key === 'sts:ExternalId')
  })
}
