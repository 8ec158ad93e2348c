import { fileRotation } from '../adapters/files/file-secrets.ts'
import { publishedBus } from '../adapters/process/published-bus.ts'
import { createLazy } from '../base/single-flight.ts'
import type { ElementStore } from '../configuration/element-store.ts'
import type { MetadataSource } from '../discovery/metadata-source.ts'
import { type EventBus, EventBusError } from '../events/event-bus.ts'
import type { SecretRotation } from '../key-lifecycle/rotating-secret.ts'
import type { SecretCache } from '../secret/secret-cache.ts'
import type { TlsCertificates } from '../signing/secret-dates.ts'
import type { TokenEndpoint } from '../token-endpoint/token-endpoint.ts'
import type { SecretsPlace } from './open-store.ts'

/** Where elements are kept. */
export type ElementsPlace =
  | { readonly kind: 'parameter_store' }
  /** A JSON file or a folder. */
  | { readonly kind: 'files'; readonly path: string }

export function openElements(place: ElementsPlace, stage: string): ElementStore {
  const adapter = createLazy(() => importElements(place, stage))
  return {
    get: async (references) => await (await adapter.get()).get(references),
    ids: async (kind) => await (await adapter.get()).ids(kind),
    findings: async () => await (await adapter.get()).findings(),
  }
}

async function importElements(place: ElementsPlace, stage: string): Promise<ElementStore> {
  switch (place.kind) {
    case 'parameter_store':
      return (await import('../adapters/aws/parameter-store-elements.ts')).parameterStoreElements({ stage })
    case 'files':
      return (await import('../adapters/files/file-elements.ts')).fileElements(place.path)
  }
}

export function openSecretRotation(place: SecretsPlace, stage: string): SecretRotation {
  const adapter = createLazy(() => importRotation(place, stage))
  return { open: async (name, rotationToken) => await (await adapter.get()).open(name, rotationToken) }
}

async function importRotation(place: SecretsPlace, stage: string): Promise<SecretRotation> {
  switch (place.kind) {
    case 'secrets_manager':
      return (await import('../adapters/aws/secrets-manager-rotation.ts')).secretsManagerRotation({ stage })
    case 'files':
      return fileRotation(place.folder, stage)
  }
}

/** Where events are raised. */
export type EventsPlace =
  | { readonly kind: 'eventbridge'; readonly busName: string }
  /** Events stay in this process. */
  | { readonly kind: 'process' }
  /** There is no bus. Raising an event fails, so that the caller of `raise` knows. */
  | { readonly kind: 'none' }

export function openEvents(place: EventsPlace, stage: string): EventBus {
  const adapter = createLazy(() => importEvents(place, stage))
  return {
    isHeard: place.kind !== 'none',
    async raise(events) {
      if (events.length > 0) await (await adapter.get()).raise(events)
    },
  }
}

async function importEvents(place: EventsPlace, stage: string): Promise<EventBus> {
  switch (place.kind) {
    case 'eventbridge':
      return (await import('../adapters/aws/eventbridge-bus.ts')).eventbridgeBus({ busName: place.busName, stage })
    case 'process':
      return publishedBus()
    case 'none':
      return noBus
  }
}

const noBus: EventBus = {
  isHeard: false,
  async raise() {
    throw new EventBusError('No event bus is configured, so the event was not sent. Set TOKENWELL_EVENTS.')
  },
}

/** Loaded by the first token request: an instance that finds its tokens in the shared cache makes no token request. */
export function openTokenEndpoint(secrets: SecretCache, now: () => number): TokenEndpoint {
  const adapter = createLazy(() => importTokenEndpoint(secrets, now))
  return { post: async (server, request) => await (await adapter.get()).post(server, request) }
}

async function importTokenEndpoint(secrets: SecretCache, now: () => number): Promise<TokenEndpoint> {
  return (await import('../adapters/http/undici-token-endpoint.ts')).undiciTokenEndpoint(secrets, now)
}

/** Loaded by the first discovery: most elements say where the token endpoint is. */
export function openMetadataSource(secrets: SecretCache): MetadataSource {
  const adapter = createLazy(() => importMetadataSource(secrets))
  return { get: async (request) => await (await adapter.get()).get(request) }
}

async function importMetadataSource(secrets: SecretCache): Promise<MetadataSource> {
  return (await import('../adapters/http/undici-metadata.ts')).undiciMetadata(secrets)
}

/** Loaded by the first look at the dates of certificates. */
export function openCertificates(secrets: SecretCache): TlsCertificates {
  const adapter = createLazy(async () => (await import('../adapters/http/tls-identity.ts')).tlsCertificates(secrets))
  return {
    trusted: async (location) => await (await adapter.get()).trusted(location),
    presented: async (location) => await (await adapter.get()).presented(location),
  }
}
