import { type KeyObject, randomBytes } from 'node:crypto'
import type { TestContext } from 'node:test'
import { isJsonArray, isJsonObject, type JsonObject, parseJson } from '../../../lib/base/decoding.ts'
import { plant } from '../output/canary.ts'
import type { ReceivedCall, ScriptedAnswer } from './scripted-api.ts'
import {
  credentialOf,
  decodeUnverified,
  isSignedByOneOf,
  Refusal,
  type StrictServerOfKeys,
  type StrictServerOptions,
  startStrictServer,
  unknownNames,
} from './strict-server.ts'

/*
 * GitHub's REST API for an app: `POST /app/installations/{id}/access_tokens` by a JWT, and `GET /installation/repositories` by
 * the token that it answers. Sources:
 * https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/generating-a-json-web-token-jwt-for-a-github-app
 * https://docs.github.com/en/rest/apps/apps#create-an-installation-access-token-for-an-app
 * https://docs.github.com/en/rest/using-the-rest-api/getting-started-with-the-rest-api (User-Agent, Accept)
 * https://github.com/PyGithub/PyGithub/tree/main/tests/ReplayData (recorded answers of testGetAccessToken*)
 * https://github.com/octokit/auth-app.js/blob/main/src/hook.ts (the messages about `exp` and `iat`)
 *
 * It also refuses claims and members of the header that GitHub does not document. GitHub's own answer to them is not known.
 */

type Access = 'read' | 'write' | 'admin'
const accesses: readonly unknown[] = ['read', 'write', 'admin'] satisfies Access[]

interface Installation {
  readonly permissions: Readonly<Record<string, Access>>
  readonly repositories: readonly string[]
}

export interface StrictGitHubOptions extends StrictServerOptions {
  readonly appId: string
  readonly clientId: string
  readonly installations: Readonly<Record<string, Installation>>
}

export interface StrictGitHub extends StrictServerOfKeys {
  /** The installation tokens that it issued, in order. */
  readonly issued: readonly string[]
  /** From now on the API refuses this token. */
  revoke(token: string): void
}

interface Grant extends Installation {
  readonly expiresAt: number
}

const jwtLongestSeconds = 600
const tokenSeconds = 3600
const restPage = 'https://docs.github.com/rest'
const tokenPage = `${restPage}/apps/apps#create-an-installation-access-token-for-an-app`

function refuse(status: number, message: string, documentation_url = restPage): never {
  throw new Refusal(message, { status, body: { message, documentation_url, status: String(status) } })
}

export async function startStrictGitHub(t: TestContext, options: StrictGitHubOptions): Promise<StrictGitHub> {
  const { installations, now = Date.now } = options
  const keys = new Map<string, KeyObject>()
  const grants = new Map<string, Grant>()
  const issued: string[] = []

  async function createToken(call: ReceivedCall, id: string): Promise<ScriptedAnswer> {
    await demandJwt(call, [...keys.values()], options)
    const installation = installations[id]
    if (!installation) refuse(404, 'Not Found', tokenPage)
    const { permissions, repositories } = readRequest(call, installation)
    const token = `ghs_${randomBytes(27).toString('base64url').replaceAll(/[-_]/g, '0')}`
    plant(token)
    issued.push(token)
    const expiresAt = Math.floor(now() / 1000) + tokenSeconds
    grants.set(token, { permissions, repositories: repositories ?? installation.repositories, expiresAt })
    const expires_at = new Date(expiresAt * 1000).toISOString().replace('.000Z', 'Z')
    const selected = repositories && { repositories: repositories.map((name) => ({ name })) }
    return { status: 201, body: { token, expires_at, permissions, repository_selection: 'selected', ...selected } }
  }

  function listRepositories(call: ReceivedCall): ScriptedAnswer {
    if (call.headers.authorization === undefined) refuse(401, 'Requires authentication')
    const grant = grants.get(credentialOf(call, 'Bearer', 'token') ?? '')
    if (!grant || grant.expiresAt <= now() / 1000) refuse(401, 'Bad credentials')
    const repositories = grant.repositories.map((name) => ({ name }))
    return { body: { total_count: repositories.length, repository_selection: 'selected', repositories } }
  }

  async function accept(call: ReceivedCall): Promise<ScriptedAnswer> {
    demandHeaders(call)
    const [, id] = /^\/app\/installations\/(\d+)\/access_tokens$/.exec(call.url) ?? []
    if (id !== undefined && call.method === 'POST') return await createToken(call, id)
    if (call.url === '/installation/repositories' && call.method === 'GET') return listRepositories(call)
    return refuse(404, 'Not Found')
  }

  return {
    ...(await startStrictServer(t, accept, options)),
    issued,
    register: (keyId, publicKey) => keys.set(keyId, publicKey),
    revoke: (token) => grants.delete(token),
  }
}

function demandHeaders({ headers }: ReceivedCall): void {
  if (!headers['user-agent']) {
    const body = 'Request forbidden by administrative rules. Please make sure your request has a User-Agent header.'
    throw new Refusal('no User-Agent', { status: 403, headers: { 'content-type': 'text/html' }, body })
  }
  const { accept = '*/*' } = headers
  if (!/^(?:\*\/\*|application\/(?:vnd\.github(?:\.v3)?\+)?json)$/.test(accept))
    refuse(415, `Unsupported 'Accept' header: '${accept}'. Must accept 'application/json'.`)
}

/** A JWT is accepted with the scheme `Bearer` only. The key is that of the app in `iss`. The header's `kid` is not used. */
async function demandJwt(
  call: ReceivedCall,
  keys: readonly KeyObject[],
  { appId, clientId, now = Date.now }: StrictGitHubOptions,
): Promise<void> {
  const undecodable = 'A JSON web token could not be decoded'
  const jwt = credentialOf(call, 'Bearer') ?? ''
  const { header, claims } = decodeUnverified(jwt) ?? refuse(401, undecodable)
  const { iss, iat, exp } = claims
  if (![appId, clientId].includes(String(iss))) refuse(404, 'Integration not found')
  if (!(await isSignedByOneOf(jwt, keys, 'RS256'))) refuse(401, undecodable)
  const seconds = now() / 1000
  if (!Number.isInteger(exp) || Number(exp) <= seconds)
    refuse(
      401,
      "'Expiration time' claim ('exp') must be a numeric value representing the future time at which the assertion expires",
    )
  if (Number(exp) - seconds > jwtLongestSeconds) refuse(401, "'Expiration time' claim ('exp') is too far in the future")
  if (!Number.isInteger(iat) || Number(iat) > seconds)
    refuse(401, "'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued")
  const unknown = [...unknownNames(claims, ['iss', 'iat', 'exp']), ...unknownNames(header, ['alg', 'typ', 'kid'])]
  if (unknown.length > 0) refuse(401, undecodable)
}

interface Requested {
  readonly permissions: Readonly<Record<string, Access>>
  readonly repositories?: readonly string[]
}

/** What the token may do. The body is optional: without it, the token may do all that the installation may do. */
function readRequest({ body }: ReceivedCall, installation: Installation): Requested {
  if (body.length === 0) return { permissions: installation.permissions }
  const request = parseJson(body.toString())
  if (!isJsonObject(request)) return refuse(400, 'Problems parsing JSON', tokenPage)
  const [unknown] = unknownNames(request, ['permissions', 'repositories', 'repository_ids'])
  if (unknown !== undefined) refuse(422, `Invalid request.\n\n"${unknown}" is not a permitted key.`, tokenPage)
  const { permissions = installation.permissions, repositories } = request
  if (!isJsonObject(permissions)) return refuse(400, 'Problems parsing JSON', tokenPage)
  if (!areGranted(permissions, installation))
    return refuse(422, 'The permissions requested are not granted to this installation.', tokenPage)
  if (repositories === undefined) return { permissions }
  const { repositories: granted } = installation
  const names = isJsonArray(repositories) ? granted.filter((name) => repositories.includes(name)) : []
  if (!isJsonArray(repositories) || names.length === 0 || names.length !== repositories.length)
    return refuse(
      422,
      'There is at least one repository that does not exist or is not accessible to the parent installation.',
      tokenPage,
    )
  return { permissions, repositories: names }
}

function areGranted(
  permissions: JsonObject,
  { permissions: granted }: Installation,
): permissions is Record<string, Access> {
  return Object.entries(permissions).every(
    ([name, access]) => accesses.includes(access) && accesses.indexOf(access) <= accesses.indexOf(granted[name]),
  )
}
