import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { listen } from '../../infra/local/listen.ts'
import { createSbom } from '../../infra/sbom.ts'
import { root, runShell } from '../support/process/local-run.ts'
import { temporaryFolder } from '../support/process/temporary-folder.ts'

/* The packages that are deployed with Tokenwell: their versions, their list, and their known vulnerabilities. */

interface LockedPackage {
  readonly version: string
  readonly integrity?: string
  readonly resolved?: string
  readonly inBundle?: boolean
  readonly dev?: boolean
  readonly optional?: boolean
  readonly devOptional?: boolean
}

const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'))
const packages = Object.entries(lock.packages as Record<string, LockedPackage>).filter(([path]) => path !== '')
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))

test('every version of package.json is exact, and the lock file holds it', () => {
  const versions = [manifest.dependencies, manifest.devDependencies, manifest.optionalDependencies].flatMap(
    Object.entries,
  )
  assert.ok(versions.length > 30)
  for (const [name, version] of versions) {
    assert.match(version, /^\d+\.\d+\.\d+$/, name)
    assert.equal(lock.packages[`node_modules/${name}`].version, version, name)
  }
})

test('every package of the lock file has a digest, and comes from a registry', () => {
  assert.ok(packages.length > 100)
  for (const [path, { integrity, resolved, inBundle }] of packages) {
    // A package inside another one is covered by the other one's digest.
    if (inBundle) continue
    assert.match(integrity ?? '', /^sha512-/, path)
    assert.equal(resolved, undefined, `${path} does not come from the registry`)
  }
})

test('the SBOM lists every package that a function may hold, in the version of the lock file with its digest, and no other', () => {
  const { bomFormat, metadata, components, dependencies } = createSbom()
  assert.equal(bomFormat, 'CycloneDX')
  assert.equal(metadata.component.name, manifest.name)
  assert.equal(metadata.component.version, manifest.version)
  const held = packages.filter(([, { dev, optional, devOptional }]) => !dev && !optional && !devOptional)
  const expected = held.map(([path, { version, integrity = '' }]) => {
    const hash = Buffer.from(integrity.replace('sha512-', ''), 'base64').toString('hex')
    return `${path.replace(/^.*node_modules\//, '')}@${version} ${hash}`
  })
  const listed = components.map(({ name, version, hashes: [hash] = [] }) => `${name}@${version} ${hash?.content}`)
  assert.deepEqual(new Set(listed), new Set(expected))
  for (const name of Object.keys(manifest.dependencies))
    assert.ok(
      listed.some((each) => each.startsWith(`${name}@`)),
      name,
    )
  assert.equal(dependencies.length, components.length + 1)
})

for (const [severity, status] of [
  ['critical', 1],
  ['high', 1],
  ['moderate', 0],
] as const)
  test(`npm run audit ends with ${status} for a known vulnerability of severity ${severity} in a deployed package`, async (t) => {
    const url = 'https://github.com/advisories/GHSA-0000-0000-0000'
    const advisory = { id: 1, url, title: 'some', severity, vulnerable_versions: '*', cwe: [], cvss: { score: 9 } }
    const registry = await startRegistry(t, { jose: [advisory] })
    const run = await audit(t, registry)
    assert.match(run.output, new RegExp(`^${severity}: jose `, 'm'))
    assert.equal(run.status, status, run.output)
  })

test('npm run audit succeeds if no vulnerability is known', async (t) => {
  const run = await audit(t, await startRegistry(t, {}))
  assert.equal(run.status, 0, run.output)
  assert.match(run.output, /^audited: 0 packages/m)
})

test('npm run audit ends with 2 and a sentence if it could not ask, unlike a finding', async (t) => {
  for (const registry of [
    await startRegistry(t, undefined),
    await startRegistry(t, 'no JSON'),
    'http://127.0.0.1:9',
    'http://registry.invalid',
  ]) {
    const run = await audit(t, registry)
    assert.equal(run.status, 2, `${registry}: ${run.output}`)
    assert.match(run.output, /^NOT AUDITED: .+ again\.$/m)
  }
})

const ciLines = readFileSync(join(root, '.ci', 'run'), 'utf8').split('\n')

test('the steps that must pass before a change lands include the audit and the SBOM', () => {
  assert.match(ciLines.join('\n'), /^set -euo pipefail$/m)
  assert.ok(ciLines.includes('part npm run sbom'))
  assert.equal(ciLines.filter((line) => /^[^#]*npm run audit \|\|/.test(line)).length, 1)
})

test('a change with a known vulnerability does not land, and if the audit cannot ask, it lands with a warning unless CI demands an answer', async () => {
  const auditLines = ciLines.filter((line) => !line.startsWith('#') && line.includes('audit'))
  const land = (auditStatus: number, environment: Record<string, string> = {}) =>
    runShell(
      `bash -c '${['set -euo pipefail', `npm() { return ${auditStatus}; }`, 'part() { "$@"; }', ...auditLines, 'echo landed'].join('\n')}'`,
      environment,
    )
  assert.deepEqual(await land(0), { status: 0, output: 'landed\n' })
  assert.deepEqual(await land(1), { status: 1, output: '' })
  const untold = await land(2)
  assert.equal(untold.status, 0)
  assert.match(untold.output, /^NOT AUDITED: .*$/m)
  assert.equal((await land(2, { TOKENWELL_REQUIRE_AUDIT: '1' })).status, 2)
  assert.equal((await land(127)).status, 127)
})

/** A registry that reports these advisories, or one that is down. A string is sent as it is. */
async function startRegistry(t: TestContext, advisories: object | string | undefined): Promise<string> {
  const server = createServer((request, response) => {
    const isAsked = request.url === '/-/npm/v1/security/advisories/bulk' && advisories !== undefined
    response.writeHead(isAsked ? 200 : 405, { 'content-type': 'application/json' })
    response.end(typeof advisories === 'string' ? advisories : isAsked ? JSON.stringify(advisories) : '{}')
  })
  t.after(() => server.close())
  return `http://127.0.0.1:${await listen(server, 0, '127.0.0.1')}`
}

async function audit(t: TestContext, registry: string) {
  return runShell(`${process.execPath} ${join(root, 'infra', 'audit.ts')}`, {
    npm_config_registry: registry,
    npm_config_cache: await temporaryFolder(t),
    npm_config_fetch_retries: '0',
  })
}
