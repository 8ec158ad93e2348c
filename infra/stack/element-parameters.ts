import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { Validations } from 'aws-cdk-lib'
import { ParameterTier, StringParameter } from 'aws-cdk-lib/aws-ssm'
import { Construct, type IDependable } from 'constructs'
import { decodeUtf8 } from '../../lib/base/decoding.ts'
import type { Kind } from '../../lib/configuration/element.ts'
import { describeFinding, isMistake } from '../../lib/configuration/finding.ts'
import { checkElements } from './check-elements.ts'

export interface ElementParametersProps {
  readonly stage: string
  readonly publicUrl: string
  /** A folder with files `<kind>/<id>.json`, or a file `{ kind: { id: element } }`. */
  readonly path: string
}

const standardBytes = 4096
const advancedBytes = 8192

/**
 * One parameter for each element. The functions read the elements from these parameters.
 * @throws {Error} with every mistake that `tokenwell validate` reports
 */
export class ElementParameters extends Construct {
  /** The elements as written, by `<kind>/<id>`. */
  readonly elements: ReadonlyMap<string, unknown>
  private readonly parameters = new Map<string, StringParameter>()

  constructor(scope: Construct, id: string, props: ElementParametersProps) {
    super(scope, id)
    for (const warning of validate(props)) Validations.of(this).addWarning('tokenwell:element', warning)
    this.elements = new Map(readElements(props.path))
    for (const [name, element] of this.elements) {
      const stringValue = JSON.stringify(element)
      const parameter = new StringParameter(this, name, {
        parameterName: `/tokenwell/${props.stage}/${name}`,
        stringValue,
        tier: tierFor(name, Buffer.byteLength(stringValue)),
      })
      this.parameters.set(name, parameter)
    }
  }

  /** The ids of the elements of one kind. */
  idsOf(kind: Kind): string[] {
    const prefix = `${kind}/`
    return [...this.elements.keys()].filter((name) => name.startsWith(prefix)).map((name) => name.slice(prefix.length))
  }

  /** The parameter of an element, by `<kind>/<id>`. */
  parameterOf(name: string): IDependable {
    const parameter = this.parameters.get(name)
    if (!parameter) throw new Error(`There is no element ${name}.`)
    return parameter
  }
}

/**
 * Returns the warnings.
 * @throws {Error} with all mistakes
 */
function validate(props: ElementParametersProps): string[] {
  const findings = checkElements(props)
  const mistakes = findings.filter(isMistake)
  if (mistakes.length > 0)
    throw new Error(`The elements cannot be deployed:\n${mistakes.map(describeFinding).join('\n')}`)
  return findings.map(describeFinding)
}

/** The validated elements, by `<kind>/<id>`. */
function readElements(path: string): readonly (readonly [name: string, element: unknown])[] {
  if (!statSync(path).isDirectory()) {
    const { $schema: _editors, ...kinds } = readJson(path) as Record<string, object>
    return Object.entries(kinds).flatMap(([kind, byId]) =>
      Object.entries(byId).map(([id, element]) => [`${kind}/${id}`, element] as const),
    )
  }
  const folders = readdirSync(path, { withFileTypes: true }).filter((entry) => entry.isDirectory() && !isHidden(entry))
  return folders.flatMap(({ name: kind }) => {
    const files = readdirSync(join(path, kind), { withFileTypes: true }).filter((entry) => !isHidden(entry))
    const names = files.filter((entry) => entry.isFile() && entry.name.endsWith('.json')).map(({ name }) => name)
    return names.map((name) => [`${kind}/${name.slice(0, -5)}`, readJson(join(path, kind, name))] as const)
  })
}

function readJson(path: string): unknown {
  return JSON.parse(decodeUtf8(readFileSync(path)) ?? '')
}

function isHidden({ name }: { readonly name: string }): boolean {
  return name.startsWith('.')
}

function tierFor(name: string, bytes: number): ParameterTier {
  if (bytes > advancedBytes)
    throw new Error(
      `The element ${name} has ${bytes} bytes, but a parameter can hold at most ${advancedBytes}. Make the element shorter.`,
    )
  return bytes > standardBytes ? ParameterTier.ADVANCED : ParameterTier.STANDARD
}
