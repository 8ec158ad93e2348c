import { Token } from 'aws-cdk-lib'
import {
  ApiMapping,
  DomainName,
  type HttpApi,
  type HttpStage,
  type MTLSConfig,
  SecurityPolicy,
} from 'aws-cdk-lib/aws-apigatewayv2'
import type { ICertificate } from 'aws-cdk-lib/aws-certificatemanager'
import { ARecord, type IHostedZone, RecordTarget } from 'aws-cdk-lib/aws-route53'
import { ApiGatewayv2DomainProperties } from 'aws-cdk-lib/aws-route53-targets'
import { Construct } from 'constructs'

/** A name in DNS for an HTTP API. */
export interface ApiDomainSettings {
  /** The host name, such as `tokens.example.com`. */
  readonly name: string
  /** The certificate of this name in AWS Certificate Manager, in the region of the stack. */
  readonly certificate: ICertificate
  /**
   * The zone of the name in Route 53. The construct creates the alias record in it.
   * @default - you create the DNS record: its target is the member `regionalDomainName` of the domain
   */
  readonly hostedZone?: IHostedZone
}

export interface ApiDomainProps extends ApiDomainSettings {
  readonly api: HttpApi
  readonly stage: HttpStage
  /** The certificates that clients must show. Without it, clients need none. */
  readonly mtls?: MTLSConfig
}

/** A custom domain that leads to the stage of an HTTP API, with its record in DNS if the zone is given. */
export class ApiDomain extends Construct {
  /** The target of the DNS record is its `regionalDomainName`, in the zone `regionalHostedZoneId`. */
  readonly domainName: DomainName

  constructor(scope: Construct, id: string, { name, certificate, hostedZone, api, stage, mtls }: ApiDomainProps) {
    super(scope, id)
    this.domainName = new DomainName(this, 'Name', {
      domainName: name,
      certificate,
      securityPolicy: SecurityPolicy.TLS_1_2,
      ...(mtls && { mtls }),
    })
    const mapping = new ApiMapping(this, 'Mapping', { api, domainName: this.domainName, stage })
    mapping.node.addDependency(stage)
    if (!hostedZone) return
    const { regionalDomainName, regionalHostedZoneId } = this.domainName
    const alias = new ApiGatewayv2DomainProperties(regionalDomainName, regionalHostedZoneId)
    // The dot at the end keeps the CDK from appending the name of the zone.
    new ARecord(this, 'Record', { zone: hostedZone, recordName: `${name}.`, target: RecordTarget.fromAlias(alias) })
  }
}

/** @throws {Error} if both domains have the same name */
export function checkDifferent(first: ApiDomainSettings, second: ApiDomainSettings): void {
  if (first.name === second.name)
    throw new Error(
      `domain and clientCertificates have the same name ${first.name}. A domain demands client certificates from all callers or from none. Use two names.`,
    )
}

/**
 * @param property the property that has the domain, for the message
 * @throws {Error} if the name is not a host name, or not in the zone
 */
export function checkDomain(property: string, { name, hostedZone }: ApiDomainSettings): void {
  if (Token.isUnresolved(name) || !/^([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}$/.test(name))
    throw new Error(
      `${property}: the name must be a host name in lower case, such as tokens.example.com, and must be known before the deployment.`,
    )
  const zone = hostedZone?.zoneName.replace(/\.$/, '')
  if (zone === undefined || Token.isUnresolved(zone) || name === zone || name.endsWith(`.${zone}`)) return
  throw new Error(`${property}: the name ${name} is not in the hosted zone ${zone}. Set the zone that the name is in.`)
}
