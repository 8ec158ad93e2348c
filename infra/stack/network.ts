import { type ISecurityGroup, type IVpc, Peer, Port, SecurityGroup, type SubnetSelection } from 'aws-cdk-lib/aws-ec2'
import type { Construct } from 'constructs'

/** A VPC for the functions. Its subnets need a route to AWS and to token endpoints. */
export interface Network {
  readonly vpc: IVpc
  readonly subnets?: SubnetSelection
  /** These groups replace the default group, which allows outbound HTTPS and the connection to Valkey. */
  readonly securityGroups?: readonly ISecurityGroup[]
}

const valkeyPort = 6379

/** All functions have the same groups, so they share the network interfaces that Lambda creates. */
export interface FunctionNetwork extends Network {
  readonly securityGroups: readonly ISecurityGroup[]
}

export function withSecurityGroups(scope: Construct, network: Network, valkeyUrl: string | undefined): FunctionNetwork {
  return { ...network, securityGroups: network.securityGroups ?? [createSecurityGroup(scope, network.vpc, valkeyUrl)] }
}

function createSecurityGroup(scope: Construct, vpc: IVpc, valkeyUrl: string | undefined): SecurityGroup {
  const group = new SecurityGroup(scope, 'SecurityGroup', {
    vpc,
    description: 'Tokenwell: outbound to HTTPS and Valkey',
    allowAllOutbound: false,
  })
  group.addEgressRule(Peer.anyIpv4(), Port.tcp(443), 'AWS and token endpoints')
  if (valkeyUrl !== undefined) group.addEgressRule(Peer.ipv4(vpc.vpcCidrBlock), Port.tcp(portOf(valkeyUrl)), 'Valkey')
  return group
}

function portOf(url: string): number {
  return Number(/:(\d+)\/?$/.exec(url)?.[1] ?? valkeyPort)
}
