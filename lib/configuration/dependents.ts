import { type Deployment, secretPrefix } from './deployment.ts'
import { defaultElementIds, type ElementReference, type Kind, keyOf, kinds, referenceAttributes } from './element.ts'
import { namedReferences } from './element-graph.ts'
import { type ElementStore, readAllElements } from './element-store.ts'
import { defaultSignatureAlgorithm, isSharedKeyAlgorithm } from './signature-algorithm.ts'

/**
 * These kinds describe how a server is reached and which key signs. They change tokens only by a client certificate, named by `ssl`, and by
 * the key of an `authTokenLocal`.
 */
const kindsThatAlterNoToken: readonly Kind[] = ['keyStore', 'ssl', 'sslDefault', 'proxyConfig']

/**
 * The names of the connections that may get other tokens after a change of this element: its own connection, and those that refer
 * to it over any number of references. The element may have been deleted. Reads all elements of the kinds that can refer to it,
 * so it is for events, not for token requests.
 * @throws {ElementStoreError}
 */
export async function dependentConnections(
  elements: ElementStore,
  changed: ElementReference,
): Promise<readonly string[]> {
  if (!kindsThatAlterNoToken.includes(changed.kind)) return await connectionsOver(elements, [changed])
  const ssl = await certificateUsers(elements, changed)
  const presenting = ssl ? await connectionsPresenting(elements, ssl) : []
  const builders = await buildersOfElement(elements, changed)
  if (builders.length === 0) return presenting
  const tokens = await tokensSignedBy(elements, (id) => id !== undefined && builders.includes(id))
  return [...new Set([...presenting, ...(await connectionsOver(elements, tokens))])]
}

/**
 * The names of the connections that may have a token that a key of these jwtBuilders has signed. An API may refuse such a token without the
 * key. Elements with a mistake count as well: until it is fixed, instances hand out the tokens of the elements before it.
 * @throws {ElementStoreError}
 */
export async function connectionsSigning(
  elements: ElementStore,
  jwtBuilders: readonly string[],
): Promise<readonly string[]> {
  if (jwtBuilders.length === 0) return []
  const tokens = await tokensSignedBy(elements, (id) => id === undefined || jwtBuilders.includes(id))
  const signed = new Set(tokens.map(({ id }) => id))
  const known = await Promise.all(
    referenceAttributes.endpointConnection.authenticationConfigRef.map((kind) => elements.ids(kind)),
  )
  const maySign = (id: string) => signed.has(id) || !known.some((ids) => ids.includes(id))
  const connections: string[] = []
  for await (const { reference, attributes } of readAllElements(elements, 'endpointConnection'))
    if (attributes.authenticationConfigRef?.some(maySign) ?? true) connections.push(reference.id)
  return connections
}

async function tokensSignedBy(
  elements: ElementStore,
  isSigner: (jwtBuilder: string | undefined) => boolean,
): Promise<readonly ElementReference[]> {
  const tokens: ElementReference[] = []
  for await (const { reference, attributes } of readAllElements(elements, 'authTokenLocal'))
    if (isSigner(attributes.tokenGeneratorRef)) tokens.push(reference)
  return tokens
}

/**
 * The names of the connections with a token that a key in this secret has signed. Keys that Tokenwell makes don't count: after a rotation the
 * former key stays published for as long as its tokens live.
 * @throws {ElementStoreError}
 */
export async function connectionsBySigningSecret(
  elements: ElementStore,
  secretName: string,
): Promise<readonly string[]> {
  const keyStores = await keyStoresIn(elements, secretName)
  const builders: string[] = []
  for await (const { reference, attributes } of readAllElements(elements, 'jwtBuilder')) {
    const { signatureAlgorithm = defaultSignatureAlgorithm, sharedKey, keyStoreRef, jwkEnabled } = attributes
    const isOwn = !jwkEnabled && keyStores.has(keyStoreRef ?? defaultElementIds.keyStore)
    if (isSharedKeyAlgorithm(signatureAlgorithm) ? sharedKey === secretName : isOwn) builders.push(reference.id)
  }
  return await connectionsSigning(elements, builders)
}

/**
 * The names of the connections whose client presents the certificate in this secret at the token endpoint. Their tokens may be
 * bound to the certificate (RFC 8705 section 3).
 * @throws {ElementStoreError}
 */
export async function connectionsByCertificate(elements: ElementStore, secretName: string): Promise<readonly string[]> {
  const keyStores = await keyStoresIn(elements, secretName)
  return keyStores.size === 0 ? [] : await connectionsPresenting(elements, await sslOver(elements, keyStores))
}

async function keyStoresIn(elements: ElementStore, secretName: string): Promise<ReadonlySet<string>> {
  const keyStores = new Set<string>()
  for await (const { reference, attributes } of readAllElements(elements, 'keyStore'))
    if (attributes.location === secretName) keyStores.add(reference.id)
  return keyStores
}

/**
 * The `ssl` elements that may present another certificate after a change of this element. Undefined if the kind has no
 * effect on that.
 */
async function certificateUsers(elements: ElementStore, { kind, id }: ElementReference): Promise<SslUse | undefined> {
  switch (kind) {
    case 'keyStore':
      return await sslOver(elements, new Set([id]))
    case 'ssl':
      return { ids: new Set([id]), isDefault: (await defaultSslId(elements)) === id }
    case 'sslDefault':
      return { ids: new Set(), isDefault: id === defaultElementIds.sslDefault }
    default:
      return undefined
  }
}

/** `ssl` elements, and whether one of them is the default for elements without `sslCertsRef`. */
interface SslUse {
  readonly ids: ReadonlySet<string>
  readonly isDefault: boolean
}

async function sslOver(elements: ElementStore, keyStores: ReadonlySet<string>): Promise<SslUse> {
  const ids = new Set<string>()
  for await (const { reference, attributes } of readAllElements(elements, 'ssl'))
    if (attributes.keyStoreRef !== undefined && keyStores.has(attributes.keyStoreRef)) ids.add(reference.id)
  return { ids, isDefault: ids.size > 0 && ids.has(await defaultSslId(elements)) }
}

async function defaultSslId(elements: ElementStore): Promise<string> {
  for await (const { reference, attributes } of readAllElements(elements, 'sslDefault'))
    if (reference.id === defaultElementIds.sslDefault && attributes.sslRef !== undefined) return attributes.sslRef
  return defaultElementIds.ssl
}

async function connectionsPresenting(elements: ElementStore, { ids, isDefault }: SslUse): Promise<readonly string[]> {
  if (ids.size === 0 && !isDefault) return []
  const servers: ElementReference[] = []
  for await (const { reference, attributes } of readAllElements(elements, 'authorizationServer'))
    if (attributes.sslCertsRef === undefined ? isDefault : ids.has(attributes.sslCertsRef)) servers.push(reference)
  return await connectionsOver(elements, servers)
}

/** Reads each kind at most once: a kind comes after all kinds that it refers to. */
async function connectionsOver(
  elements: ElementStore,
  changed: readonly ElementReference[],
): Promise<readonly string[]> {
  const found = [...changed]
  for (const kind of kinds.toReversed())
    if (mayReferTo(kind, found)) found.push(...(await referringTo(elements, kind, new Set(found.map(keyOf)))))
  return [...new Set(found.filter(({ kind }) => kind === 'endpointConnection').map(({ id }) => id))]
}

function mayReferTo(kind: Kind, found: readonly ElementReference[]): boolean {
  if (kindsThatAlterNoToken.includes(kind)) return false
  const below = Object.values<Kind | readonly Kind[]>(referenceAttributes[kind]).flat()
  return found.some((each) => below.includes(each.kind))
}

async function referringTo(
  store: ElementStore,
  kind: Kind,
  keys: ReadonlySet<string>,
): Promise<readonly ElementReference[]> {
  const referring: ElementReference[] = []
  for await (const reading of readAllElements(store, kind)) {
    // An element with a mistake can't be used. When the operator fixes it, that change has its own event.
    const isUsable = reading.findings.length === 0
    if (isUsable && namedReferences(reading).some(({ to }) => keys.has(keyOf(to)))) referring.push(reading.reference)
  }
  return referring
}

/**
 * The jwtBuilders whose keys may be in this secret: the one for which Tokenwell makes the keys, and those with a key store that
 * names the secret. One too many does no harm. Reads all elements of two kinds, so it is for events, not for token requests.
 * @throws {ElementStoreError}
 */
export async function buildersOfSecret(
  elements: ElementStore,
  deployment: Pick<Deployment, 'stage'>,
  secretName: string,
): Promise<readonly string[]> {
  const generatedPrefix = `${secretPrefix(deployment)}jwk/`
  const builders = new Set(secretName.startsWith(generatedPrefix) ? [secretName.slice(generatedPrefix.length)] : [])
  const keyStores = await keyStoresIn(elements, secretName)
  if (keyStores.size > 0) for (const builder of await buildersOfKeyStores(elements, keyStores)) builders.add(builder)
  return [...builders]
}

/**
 * The jwtBuilders whose published keys may change with this element. The element may have been deleted.
 * @throws {ElementStoreError}
 */
export async function buildersOfElement(
  elements: ElementStore,
  { kind, id }: ElementReference,
): Promise<readonly string[]> {
  if (kind === 'jwtBuilder') return [id]
  return kind === 'keyStore' ? buildersOfKeyStores(elements, new Set([id])) : []
}

async function buildersOfKeyStores(elements: ElementStore, keyStores: ReadonlySet<string>): Promise<string[]> {
  const builders: string[] = []
  for await (const { reference, attributes } of readAllElements(elements, 'jwtBuilder'))
    if (keyStores.has(attributes.keyStoreRef ?? defaultElementIds.keyStore)) builders.push(reference.id)
  return builders
}
