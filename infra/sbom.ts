import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { runNpm } from './npm.ts'

/** The members of a CycloneDX 1.5 bill of materials that this file reads. */
export interface Sbom {
  readonly bomFormat: string
  readonly metadata: { readonly component: Component }
  readonly components: readonly Component[]
  readonly dependencies: readonly { readonly ref: string; readonly dependsOn: readonly string[] }[]
}

interface Component {
  readonly 'bom-ref': string
  readonly name: string
  readonly version: string
  readonly scope: 'required' | 'optional'
  readonly properties: readonly { readonly name: string }[]
  readonly hashes?: readonly { readonly alg: string; readonly content: string }[]
}

/**
 * The bill of materials of every package that a function may contain. npm reads it from the lock file, without network and
 * without node_modules.
 * @throws {Error} with npm's output where npm fails
 */
export function createSbom(): Sbom {
  const { isContent, output } = runNpm(['sbom', '--sbom-format=cyclonedx', '--package-lock-only'])
  if (!isContent) throw new Error(`npm sbom failed: ${output}`)
  const whole = JSON.parse(output) as Sbom
  const { component } = whole.metadata

  // npm's own --omit=dev also leaves out packages that both a function and a tool need, such as jose.
  const components = whole.components.filter(isDeployed)
  const refs = new Set([component, ...components].map((each) => each['bom-ref']))
  const dependencies = whole.dependencies
    .filter(({ ref }) => refs.has(ref))
    .map(({ ref, dependsOn }) => ({ ref, dependsOn: dependsOn.filter((each) => refs.has(each)) }))
  // npm names the project after its folder.
  const metadata = { ...whole.metadata, component: { ...component, name: readName() } }
  return { ...whole, metadata, components, dependencies }
}

function isDeployed({ scope, properties }: Component): boolean {
  return scope === 'required' && !properties.some(({ name }) => name === 'cdx:npm:package:development')
}

function readName(): string {
  return JSON.parse(readFileSync(join(import.meta.dirname, '..', 'package.json'), 'utf8')).name
}
