import { CfnResource, Stack, Validations } from 'aws-cdk-lib'
import type { IConstruct } from 'constructs'

/** The rule of a checker, and why it does not hold here. */
export type PassedOver = Readonly<Record<string, string>>

/** What cdk-nag would find at this construct, and why it stays. */
export function passOverNag(construct: IConstruct, findings: PassedOver): void {
  const rules = Object.entries(findings).map(([id, reason]) => ({ id, reason }))
  Validations.of(construct).acknowledge(...rules)
}

/** The same of a wildcard in a policy, for which cdk-nag has a rule of its own for each resource. */
export function passOverWildcard(construct: IConstruct, resource: string, reason: string): void {
  passOverNag(construct, {
    [`AwsSolutions-IAM5[Resource::${asNagWrites(Stack.of(construct).resolve(resource))}]`]: reason,
  })
}

/** With `<AWS::Region>` for what only the deployment knows. */
function asNagWrites(resolved: unknown): string {
  if (typeof resolved === 'string') return resolved
  if (typeof resolved !== 'object' || resolved === null) return ''
  if ('Ref' in resolved) return `<${resolved.Ref}>`
  const [, parts] = 'Fn::Join' in resolved ? (resolved['Fn::Join'] as [string, unknown[]]) : []
  return (parts ?? []).map(asNagWrites).join('')
}

/** What checkov would find at this construct's resource; it reads the template, so that the reason stands there. */
export function passOverCheckov(construct: IConstruct, findings: PassedOver): void {
  const skip = Object.entries(findings).map(([id, comment]) => ({ id, comment }))
  resourceOf(construct).addMetadata('checkov', { skip })
}

/** The same for cfn-lint. */
export function passOverCfnLint(construct: IConstruct, findings: PassedOver): void {
  const config = { ignore_checks: Object.keys(findings) }
  resourceOf(construct).addMetadata('cfn-lint', { config, reasons: findings })
}

function resourceOf(construct: IConstruct): CfnResource {
  const resource = construct.node.defaultChild
  if (!CfnResource.isCfnResource(resource)) throw new Error(`${construct.node.path} is no resource.`)
  return resource
}
