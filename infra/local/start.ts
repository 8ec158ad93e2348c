import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import { join, resolve } from 'node:path'
import { text } from 'node:stream/consumers'
import { Command } from 'commander'
import { fileElements } from '../../lib/adapters/files/file-elements.ts'
import {
  addressOf,
  type Connection,
  isServed,
  type TokenConnection,
  takesPassword,
  tokensOf,
} from '../../lib/configuration/connection.ts'
import { keyOf } from '../../lib/configuration/element.ts'
import { type ListedConnection, listConnections } from '../../lib/configuration/inspect-elements.ts'
import { createHttpGateway, createLocalContext, type LambdaHandler } from './http-gateway.ts'
import { listen } from './listen.ts'
import { type LocalFunctions, loadFunctions } from './local-functions.ts'
import { createLocalQueue } from './local-queue.ts'
import { createLocalRoutes } from './local-routes.ts'
import { narrate, narrateWhileServing } from './narration.ts'
import { startServers } from './start-servers.ts'
import { prepareStores } from './stores.ts'
import { isForTerminal, LocalRunError } from './terminal.ts'
import { watchFiles } from './watch-files.ts'
import { ownElements, prepareDemoUser, type Workspace } from './workspace.ts'

const root = join(import.meta.dirname, '..', '..')
/** The folder with the files of the local run. */
const folder = resolve(process.env['TOKENWELL_FOLDER'] ?? join(root, '.tokenwell'))
const loopback = '127.0.0.1'
const defaultPort = 8787
/** The connection that the example call uses. */
const apiConnection = 'orders'
const warmIntervalMilliseconds = 60_000
const nextFromMemory = 'The next token comes from memory:'
const nextCall = 'Call the API:'
const nextAfterFix = 'Changes of elements and secrets take effect while it runs. Ask again after them:'
const environmentHelp = `
Environment variables:
  TOKENWELL_ELEMENTS  a JSON file or a folder with your elements
  TOKENWELL_FOLDER    the folder of its files and secrets (.tokenwell)
  PORT                the port of the HTTP API (8787, or the next free one)`
const print = (line = '') => console.log(line)

try {
  await main()
} catch (error) {
  if (!isForTerminal(error)) throw error
  console.error(`\n${error.message}`)
  process.exit(1)
}

async function main(): Promise<void> {
  const { once: isOnce, aws: isAws } = readOptions()
  print('Tokenwell on this machine\n')
  const gateway = await startGateway()
  const { workspace, api, prepare } = await startServers(workspaceFor(gateway.url), { folder, print })
  const functions = await loadFunctions(workspace, await prepareStores(workspace, { isAws, print }))
  const { stage } = workspace.deployment
  const queue = createLocalQueue(functions, stage)
  gateway.open(createLocalRoutes(functions, queue, stage))
  // The reconciliation publishes the keys that the authorization server reads.
  await queue.deliver({ 'detail-type': 'ReconcileElements' })

  const { curls, whyNoToken, next = nextFromMemory } = await showFirstUse(gateway.url, { workspace, api })
  if (isOnce && whyNoToken !== undefined) throw new LocalRunError(whyNoToken)
  if (isOnce) process.exit(0)

  narrateWhileServing((line) => print(`  ${line}`))
  startSchedule(functions)
  await watchFiles(workspace, queue, prepare)
  if (whyNoToken !== undefined) print(`\n${whyNoToken}`)
  print(`\nServing on ${gateway.url}. Press Ctrl-C to stop. ${whyNoToken === undefined ? next : nextAfterFix}\n`)
  print(`${curls.join('\n')}\n`)
  process.on('SIGINT', () => process.exit(0))
  process.on('SIGTERM', () => process.exit(0))
}

function readOptions(): { readonly once: boolean; readonly aws: boolean } {
  return new Command('npm start --')
    .description('Starts Tokenwell on this machine. It gets a token, makes an API call, and serves.')
    .option('--once', 'ends after the first token and call; exit code 1 if there is no token', false)
    .option('--aws', 'keeps elements, secrets and tokens in the AWS emulator that AWS_ENDPOINT_URL names', false)
    .addHelpText('after', environmentHelp)
    .showSuggestionAfterError()
    .parse()
    .opts()
}

/** The gateway listens before the functions are loaded, because the functions need its URL. */
async function startGateway() {
  let handler: LambdaHandler | undefined
  const gateway = createHttpGateway((event, context) => {
    if (!handler) throw new LocalRunError('The local run is not ready yet.')
    return handler(event, context)
  })
  const port = await listen(gateway, ...requestedPort())
  return {
    url: `http://${loopback}:${port}`,
    open(routes: LambdaHandler): void {
      handler = routes
    },
  }
}

function workspaceFor(url: string): Workspace {
  return {
    elementsPath: process.env['TOKENWELL_ELEMENTS'] ? resolve(process.env['TOKENWELL_ELEMENTS']) : ownElements,
    secretsFolder: join(folder, 'secrets'),
    deployment: { stage: 'local', publicUrl: url, isLambda: false },
  }
}

interface Run {
  readonly workspace: Workspace
  readonly api: string | undefined
}

interface FirstUse {
  /** The requests as commands for a terminal. */
  readonly curls: readonly string[]
  readonly whyNoToken?: string | undefined
  /** What the commands are for. */
  readonly next?: string
}

/** Gets a token, and calls the API of this run if the elements name it. */
async function showFirstUse(url: string, { workspace, api }: Run): Promise<FirstUse> {
  const { name: connection, connection: configured } = await firstConnection(workspace)
  if (configured && configured.grant === undefined) return describeTokenless(url, configured)
  print(`\nA token for the connection ${connection}, by HTTP (the caller is "local"):\n`)
  for (const token of configured ? tokensOf(configured) : []) print(describe(token))
  const tokenServers = tokenServersOf(configured)
  const user = await demoUserOf(workspace, configured)
  const status = await firstToken(`${url}/connections/${connection}/token`, user, tokenServers)
  const curls = [`curl -s -X POST ${url}/connections/${connection}/token`]
  if (status !== undefined) return { curls, whyNoToken: describeFailure(status) }
  const called = await toBeCalled(workspace, api)
  if (called) {
    const order = `${url}/connections/${apiConnection}/api/42`
    await firstCall(order, tokenServersOf(called))
    curls.push(`curl -s ${order}`)
  }
  return { curls }
}

function requestedPort(): readonly [port: number, host: string, whereTaken: { mayMove: boolean; advice?: string }] {
  const requested = process.env['PORT']
  if (requested === undefined) return [defaultPort, loopback, { mayMove: true }]
  if (!/^\d{1,5}$/.test(requested) || Number(requested) > 65_535)
    throw new LocalRunError(`PORT is ${JSON.stringify(requested)}. It must be a number from 0 to 65535.`)
  return [
    Number(requested),
    loopback,
    { mayMove: false, advice: 'Free it or set PORT to another one, and start again.' },
  ]
}

/** The connection `conn` of the z/OS Connect example, or else the first connection that needs no user and no token of a caller. */
async function firstConnection({ elementsPath, deployment }: Workspace): Promise<ListedConnection> {
  const listed = await listConnections(fileElements(elementsPath), deployment)
  const chosen =
    listed.find(({ name }) => name === 'conn') ??
    listed.find(({ connection }) => connection && needsNoCaller(connection)) ??
    listed[0]
  if (!chosen)
    throw new LocalRunError(`${elementsPath} contains no endpointConnection. Add one: see lib/configuration/README.md.`)
  return chosen
}

/** Whether a token needs no user and no token that only a caller has. */
function needsNoCaller({ grant }: Connection): boolean {
  return grant !== undefined && !takesPassword(grant) && !('subject' in grant && grant.subject.assertion === undefined)
}

/** Such a connection has no token to get. Its API is not called without being asked. */
function describeTokenless(url: string, { name }: Connection): FirstUse {
  print(`\nThe connection ${name} has no token: its API calls have basic authentication.`)
  return { curls: [`curl -s ${url}/connections/${name}/api/`], whyNoToken: undefined, next: nextCall }
}

function describe(connection: TokenConnection): string {
  const { authentication, isFurther } = connection
  const further = isFurther ? `, with authentication=${authentication.id}` : ''
  if (!isServed(connection))
    return `  ${keyOf(authentication)}: a JWT that Tokenwell signs with ${connection.grant.assertion.algorithm}${further}`
  if (connection.grant.type === 'authToken') {
    const whose = takesPassword(connection.grant) ? ' for username and password of the request' : ''
    return `  ${keyOf(authentication)}: a token of ${addressOf(connection.authorizationServer)}${whose}${further}`
  }
  const { clientId, clientAuthentication, grant, authorizationServer } = connection
  const { method } = clientAuthentication
  const algorithm = 'assertion' in clientAuthentication ? ` with ${clientAuthentication.assertion.algorithm}` : ''
  return `  ${grant.type} for the client ${clientId}, ${method}${algorithm}, at ${addressOf(authorizationServer)}`
}

/** The addresses of its token servers that are not OAuth 2.0 servers. */
function tokenServersOf(connection: Connection | undefined): readonly string[] {
  return (connection ? tokensOf(connection) : [])
    .filter(isServed)
    .filter(({ grant }) => grant.type === 'authToken')
    .map(({ authorizationServer }) => new URL(addressOf(authorizationServer)).href)
}

/** A connection with the password grant needs a user. The authorization server of the local run has one. */
async function demoUserOf(workspace: Workspace, connection: Connection | undefined): Promise<object> {
  if (connection?.grant?.type !== 'password') return {}
  const [[username, password] = []] = await prepareDemoUser(workspace)
  return { username, password }
}

/** Returns the status of the failure, or undefined if there is a token. */
async function firstToken(url: string, user: object, tokenServers: readonly string[]): Promise<number | undefined> {
  const { statusCode = 0 } = await narrated('POST', url, tokenServers, JSON.stringify(user))
  return statusCode === 200 ? undefined : statusCode
}

/** The connection whose API is that of this run. The local run calls no other API without being asked. */
async function toBeCalled(
  { elementsPath, deployment }: Workspace,
  api: string | undefined,
): Promise<Connection | undefined> {
  const listed = await listConnections(fileElements(elementsPath), deployment)
  const connection = listed.find(({ name }) => name === apiConnection)?.connection
  const origin = connection?.api?.origin
  return origin !== undefined && origin === api ? connection : undefined
}

async function firstCall(url: string, tokenServers: readonly string[]): Promise<void> {
  print(`\nA call through the connection ${apiConnection}, by HTTP (the caller is "local"), GET ${url}:\n`)
  await narrated('GET', url, tokenServers)
}

/** It does not use undici, because the narration prints every request of undici as a request of Tokenwell. */
async function narrated(
  method: string,
  url: string,
  tokenServers: readonly string[],
  body?: string,
): Promise<IncomingMessage> {
  const stop = narrate(print, tokenServers)
  const sent = request(url, { method, headers: { 'content-type': 'application/json' } }).end(body)
  const [response] = (await once(sent, 'response')) as [IncomingMessage]
  await text(response)
  stop()
  return response
}

/** Starts the warm runs in place of EventBridge Scheduler. */
function startSchedule({ warmTokens }: LocalFunctions): void {
  setInterval(() => void warmTokens({}, createLocalContext(Date.now())), warmIntervalMilliseconds)
}

function describeFailure(status: number): string {
  switch (status) {
    case 502:
      return 'No token: the authorization server refused the request or sent an unreadable answer. See the reason above. Check that it knows this client, and its public key or client secret.'
    case 503:
    case 504:
      return 'No token: the authorization server cannot be used. The reason above says what to check.'
    default:
      return 'No token: the elements or secrets have mistakes. See the reason above. To list every mistake, run npm run validate -- <file> --secrets.'
  }
}
