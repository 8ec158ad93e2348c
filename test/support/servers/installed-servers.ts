import { createHash } from 'node:crypto'
import { existsSync, globSync, readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { MissingServerError } from './real-server.ts'

/*
 * Where `npm run servers` installs the authorization servers that it downloads: outside the checkout, by version and
 * digest.
 */

/** The zip from Maven Central: `org.keycloak:keycloak-quarkus-dist`. */
export const keycloakDistribution = {
  version: '26.7.3',
  sha256: '27a6535553c3cdcd083872ba40629efafb3475e3b758e0c6f691395561dd0f1f',
} as const

/** The administrator in the database that is installed with Keycloak. */
export const keycloakAdministrator = { username: 'admin', password: 'the password of the administrator' } as const

/** Its pom.xml pins Spring Boot, and so every library. */
export const springSources = join(import.meta.dirname, 'spring-authorization-server')
const installer = join(import.meta.dirname, '..', '..', 'install-servers.ts')
/** The digest of the names and SHA-256 of these libraries, as `sha256sum *.jar | sha256sum` prints it. */
export const springLibrariesSha256 = 'c48683dfbb4e4cd1c58064fdf4356dedf6cf8f17919f16b892dcd7d19311c29e'

/** The folder of Keycloak, unpacked and built. Its database has tables and an administrator. */
export function keycloakFolder(): string {
  return folderOf(`keycloak-${keycloakDistribution.version}`, [])
}

/** The folder with `classes` and `dependency`, the class path of the Spring app. */
export function springFolder(): string {
  const sources = globSync(['pom.xml', 'src/**/*.java'], { cwd: springSources }).sort()
  return folderOf(
    'spring-authorization-server',
    sources.map((source) => join(springSources, source)),
  )
}

/** The folder's name contains a digest of all sources, so a changed source is installed anew. */
function folderOf(name: string, sources: readonly string[]): string {
  const digest = createHash('sha256')
  for (const source of [import.meta.filename, installer, ...sources]) digest.update(readFileSync(source))
  return join(cacheFolder(), `${name}-${digest.digest('hex').slice(0, 12)}`)
}

function cacheFolder(): string {
  return join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'tokenwell')
}

/** @throws {MissingServerError} */
export function demandInstalled(name: string, folder: string): string {
  if (existsSync(folder)) return folder
  throw new MissingServerError(`${name} is not installed. Install it with: npm run servers`)
}

/**
 * Finds Debian's library that changes the clock of a program.
 * @throws {MissingServerError} if it is not installed
 */
export function findFaketime(): string {
  const [library] = globSync('/usr/lib/*/faketime/libfaketime.so.1')
  if (library === undefined)
    throw new MissingServerError('faketime is not installed. Install it with: apt-get install faketime')
  return library
}
