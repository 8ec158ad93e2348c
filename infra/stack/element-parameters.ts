import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { CustomResource, FileSystem, RemovalPolicy, Token, Validations } from 'aws-cdk-lib'
import { Asset } from 'aws-cdk-lib/aws-s3-assets'
import { ParameterTier, StringParameter } from 'aws-cdk-lib/aws-ssm'
import { Construct } from 'constructs'
import type { Kind } from '../../lib/configuration/element.ts'
import { describeFinding, isMistake } from '../../lib/configuration/finding.ts'
import { checkElements, type ElementsToCheck } from './check-elements.ts'
import { readElements, whyTooLong } from './element-files.ts'
import { PutElements } from './put-elements.ts'
import type { LogSettings } from './retained-log.ts'
import type { StageResources } from './stage-resources.ts'

export interface ElementParametersProps {
  readonly stage: string
  readonly valid: ValidElements
  /** The functions of the stage, which `put-elements` shares its settings with. */
  readonly resources: StageResources
  readonly logs: LogSettings
  /** Whether the parameters may exist before the first deployment, and stay after the last one. */
  readonly takeOverParameters?: boolean
}

/** Elements without a mistake. */
export interface ValidElements {
  /** As written, by `<kind>/<id>`. */
  readonly elements: ReadonlyMap<string, unknown>
  readonly warnings: readonly string[]
}

/** Parameter Store takes 3 puts a second by default, and the function has 50 minutes. */
const mostElements = 9_000
/** In place of the URL of the HTTP API, which only the deployment knows. No finding depends on the host. */
const urlToCheckWith = 'https://public-url.example'

/**
 * The elements of a stage. They are uploaded as one file, and a custom resource writes them as parameters, from which the functions
 * read them. So their number counts for no limit of CloudFormation.
 */
export class ElementParameters extends Construct {
  /** The elements as written, by `<kind>/<id>`. */
  readonly elements: ReadonlyMap<string, unknown>
  /** It is deployed when all parameters are written. */
  readonly written: CustomResource

  constructor(scope: Construct, id: string, props: ElementParametersProps) {
    super(scope, id)
    const { elements, warnings } = props.valid
    for (const warning of warnings) Validations.of(this).addWarning('tokenwell:element', warning)
    this.elements = elements
    const file = this.upload()
    this.written = this.write(props, file)
    if (props.resources.readRecordsOf !== undefined) this.keepResources(props.stage)
  }

  /** The ids of the elements of one kind. */
  idsOf(kind: Kind): string[] {
    const prefix = `${kind}/`
    return [...this.elements.keys()].filter((name) => name.startsWith(prefix)).map((name) => name.slice(prefix.length))
  }

  private upload(): Asset {
    const path = join(FileSystem.mkdtemp('tokenwell-elements-'), 'elements.json')
    writeFileSync(path, textOf(this.elements))
    return new Asset(this, 'File', { path })
  }

  private write({ resources, logs, takeOverParameters }: ElementParametersProps, file: Asset): CustomResource {
    const isUpgrade = resources.readRecordsOf !== undefined
    const takesOverParameters = takeOverParameters === true || isUpgrade
    const keepsParameters = takesOverParameters || logs.removalPolicy === RemovalPolicy.RETAIN
    const putElements = new PutElements(this, 'Put', { resources, logs, assets: file.bucket })
    const written = new CustomResource(this, 'Written', {
      serviceToken: putElements.arn,
      resourceType: 'Custom::TokenwellElements',
      properties: { bucket: file.s3BucketName, key: file.s3ObjectKey, takesOverParameters, keepsParameters },
    })
    written.node.addDependency(putElements.continuation)
    return written
  }

  /**
   * The parameters as resources, as version 0.1 deployed them, but retained. CloudFormation deletes what leaves a template, unless
   * the template before said that it is retained.
   */
  private keepResources(stage: string): void {
    for (const [name, element] of this.elements) {
      const parameter = new StringParameter(this, name, {
        parameterName: `/tokenwell/${stage}/${name}`,
        stringValue: JSON.stringify(element),
        tier: ParameterTier.INTELLIGENT_TIERING,
      })
      parameter.applyRemovalPolicy(RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE)
      this.written.node.addDependency(parameter)
    }
  }
}

/** In the order of the names, so that the same elements are the same file. */
function textOf(elements: ReadonlyMap<string, unknown>): string {
  const kinds: Record<string, Record<string, unknown>> = {}
  for (const [name, element] of [...elements].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const [kind = '', id = ''] = name.split('/')
    kinds[kind] = { ...kinds[kind], [id]: element }
  }
  return JSON.stringify(kinds)
}

/**
 * Reads the elements of a folder with files `<kind>/<id>.json`, or of a file `{ kind: { id: element } }`.
 * @throws {Error} with every mistake that `tokenwell validate` reports, and for elements that cannot be deployed
 */
export function readValidElements({ path, stage, publicUrl: given }: ElementsToCheck): ValidElements {
  const publicUrl = Token.isUnresolved(given) ? urlToCheckWith : given
  const findings = checkElements({ path, stage, publicUrl })
  const mistakes = findings.filter(isMistake)
  if (mistakes.length > 0)
    throw new Error(`The elements cannot be deployed:\n${mistakes.map(describeFinding).join('\n')}`)
  const elements = new Map(readElements(path))
  checkSizes(elements)
  return { elements, warnings: findings.map(describeFinding) }
}

function checkSizes(elements: ReadonlyMap<string, unknown>): void {
  if (elements.size > mostElements)
    throw new Error(
      `There are ${elements.size} elements, but a deployment can write at most ${mostElements}. Divide the connections among several stages.`,
    )
  for (const [name, element] of elements) {
    const tooLong = whyTooLong(name, element)
    if (tooLong !== undefined) throw new Error(tooLong)
  }
}
