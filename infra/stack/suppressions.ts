import { CfnResource, Stack, Validations } from 'aws-cdk-lib'
import type { IConstruct } from 'constructs'

/** Rules of a checker, each with the reason why it does not apply to a construct. */
export type Suppressions = Readonly<Record<string, string>>

/** Acknowledges findings of cdk-nag at this construct. */
export function suppressNag(construct: IConstruct, findings: Suppressions): void {
  const rules = Object.entries(findings).map(([id, reason]) => ({ id, reason }))
  Validations.of(construct).acknowledge(...rules)
}

/** The same for a wildcard in a policy. cdk-nag has a separate rule for each resource. */
export function suppressWildcard(construct: IConstruct, resource: string, reason: string): void {
  suppressNag(construct, {
    [`AwsSolutions-IAM5[Resource::${asNagWrites(Stack.of(construct).resolve(resource))}]`]: reason,
  })
}

/** A resource as cdk-nag writes it: with `<AWS::Region>` for a value that only the deployment knows. */
function asNagWrites(resolved: unknown): string {
  if (typeof resolved === 'string') return resolved
  if (typeof resolved !== 'object' || resolved === null) return ''
  if ('Ref' in resolved) return `<${resolved.Ref}>`
  if ('Fn::Sub' in resolved) return String(resolved['Fn::Sub']).replaceAll(/\$\{([^}]+)\}/g, '<$1>')
  const [, parts] = 'Fn::Join' in resolved ? (resolved['Fn::Join'] as [string, unknown[]]) : []
  return (parts ?? []).map(asNagWrites).join('')
}

/** The same for checkov. It reads the template, so the reason is written there. */
export function suppressCheckov(construct: IConstruct, findings: Suppressions): void {
  const skip = Object.entries(findings).map(([id, comment]) => ({ id, comment }))
  resourceOf(construct).addMetadata('checkov', { skip })
}

/** The same for cfn-lint. */
export function suppressCfnLint(construct: IConstruct, findings: Suppressions): void {
  const config = { ignore_checks: Object.keys(findings) }
  resourceOf(construct).addMetadata('cfn-lint', { config, reasons: findings })
}

function resourceOf(construct: IConstruct): CfnResource {
  const resource = CfnResource.isCfnResource(construct) ? construct : construct.node.defaultChild
  if (!CfnResource.isCfnResource(resource)) throw new Error(`${construct.node.path} is not a CloudFormation resource.`)
  return resource
}
