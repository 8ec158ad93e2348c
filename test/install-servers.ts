import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { createReadStream, existsSync } from 'node:fs'
import { mkdir, rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { promisify } from 'node:util'
import {
  keycloakAdministrator,
  keycloakDistribution,
  keycloakFolder,
  springFolder,
  springLibrariesSha256,
  springSources,
} from './support/servers/installed-servers.ts'

/*
 * npm run servers: installs Keycloak and Spring Authorization Server, which `npm test` uses if they are installed. They come from
 * Maven Central, are verified by SHA-256, and are kept outside the checkout.
 */

const run = promisify(execFile)
const dependencyPlugin = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1'

await install('Keycloak', keycloakFolder(), installKeycloak)
await install('Spring Authorization Server', springFolder(), installSpring)

/** Installs a server completely or not at all, even if two processes do it at once. */
async function install(name: string, folder: string, make: (folder: string) => Promise<void>): Promise<void> {
  if (existsSync(folder)) return console.log(`${name} is already installed in ${folder}.`)
  const unfinished = `${folder}.${process.pid}`
  await mkdir(unfinished, { recursive: true })
  try {
    await make(unfinished)
    await rename(unfinished, folder).catch((error) => {
      if (!existsSync(folder)) throw error
    })
    console.log(`Installed ${name} in ${folder}.`)
  } finally {
    await rm(unfinished, { recursive: true, force: true })
  }
}

async function installKeycloak(folder: string): Promise<void> {
  const { version, sha256 } = keycloakDistribution
  const artifact = `org.keycloak:keycloak-quarkus-dist:${version}:zip`
  const parent = dirname(folder)
  const download = join(parent, `${basename(folder)}.download`)
  try {
    await maven([`${dependencyPlugin}:copy`, `-Dartifact=${artifact}`, `-DoutputDirectory=${download}`])
    const zip = join(download, `keycloak-quarkus-dist-${version}.zip`)
    demandDigest(`Keycloak ${version}`, await digestOf(zip), sha256)
    await run('python3', ['-m', 'zipfile', '-e', zip, download])
    await rm(folder, { recursive: true })
    await rename(join(download, `keycloak-${version}`), folder)
    await prepareKeycloak(join(folder, 'bin', 'kc.sh'))
  } finally {
    await rm(download, { recursive: true, force: true })
  }
}

/** Does the work of a first start, which takes longer than the rest of a start. */
async function prepareKeycloak(script: string): Promise<void> {
  const { username, password } = keycloakAdministrator
  const env = { ...process.env, JAVA_OPTS_APPEND: '-XX:TieredStopAtLevel=1', ADMINISTRATOR: password }
  const keycloak = (...words: string[]) => run('sh', [script, ...words], { env })
  await keycloak('build', '--db=dev-file', '--https-client-auth=request')
  const admin = [`--username=${username}`, '--password:env=ADMINISTRATOR']
  await keycloak('bootstrap-admin', 'user', '--optimized', '--no-prompt', ...admin)
}

async function installSpring(folder: string): Promise<void> {
  const pom = ['-f', join(springSources, 'pom.xml'), `-Dbuilt=${folder}`]
  await maven([...pom, 'compile', `${dependencyPlugin}:copy-dependencies`, '-DincludeScope=runtime'])
  const libraries = join(folder, 'dependency')
  const { stdout } = await run('sh', ['-c', 'cd "$1" && LC_ALL=C && export LC_ALL && sha256sum *.jar', 'sh', libraries])
  demandDigest('The libraries of Spring Authorization Server', sha256Of(stdout), springLibrariesSha256)
}

/** Runs Maven. It fails if a download does not match its checksum. */
async function maven(words: readonly string[]): Promise<void> {
  await run('mvn', ['--quiet', '--batch-mode', '--strict-checksums', ...words])
}

async function digestOf(path: string): Promise<string> {
  const digest = createHash('sha256')
  await pipeline(createReadStream(path), digest)
  return digest.digest('hex')
}

function sha256Of(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

function demandDigest(what: string, found: string, expected: string): void {
  if (found === expected) return
  throw new Error(
    `${what}: the SHA-256 of the download is ${found}, but test/support/servers/installed-servers.ts expects ${expected}. Nothing was installed.`,
  )
}
