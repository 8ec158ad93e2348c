import type { RotatingSecret, SecretRotation } from '../../../lib/key-lifecycle/rotating-secret.ts'
import { Secret } from '../../../lib/secret/secret.ts'
import type { SecretStore } from '../../../lib/secret/secret-store.ts'
import { SecretError } from '../../../lib/secret/secret-store.ts'

/** A store whose secrets have one version. */
export function singleVersionSecrets(get: SecretStore['get']): SecretStore {
  return { get, getPrevious: () => Promise.resolve(undefined) }
}

/** Secrets as Secrets Manager keeps them: versions that never change, and labels that move. */
export interface VirtualSecrets extends SecretStore, SecretRotation {
  /** Stores a new version by hand. It is current at once. */
  put(name: string, text: string): void
  /** Does what Secrets Manager does before it asks for the first step: it makes a version without text. */
  begin(name: string, version: string): void
  labels(name: string): Readonly<Record<string, string>>
  current(name: string): string
}

interface Kept {
  readonly texts: Map<string, string>
  readonly labels: Map<'AWSCURRENT' | 'AWSPENDING', string>
}

export function createVirtualSecrets(): VirtualSecrets {
  const secrets = new Map<string, Kept>()
  let versions = 0

  function kept(name: string): Kept {
    const secret = secrets.get(name)
    if (!secret) throw new SecretError('secret_missing', `The secret ${name} does not exist.`)
    return secret
  }

  function current(name: string): string {
    const { texts, labels } = kept(name)
    return texts.get(labels.get('AWSCURRENT') ?? '') ?? ''
  }

  return {
    async get(name) {
      if (current(name) === '') throw new SecretError('secret_missing', `The secret ${name} has no current version.`)
      return new Secret(current(name))
    },
    getPrevious: () => Promise.resolve(undefined),
    open: async (name) => rotating(() => kept(name)),
    put(name, text) {
      const secret = secrets.get(name) ?? { texts: new Map(), labels: new Map() }
      const version = `by-hand-${versions++}`
      secret.texts.set(version, text)
      secret.labels.set('AWSCURRENT', version)
      secrets.set(name, secret)
    },
    begin: (name, version) => kept(name).labels.set('AWSPENDING', version),
    labels: (name) => Object.fromEntries(kept(name).labels),
    current,
  }
}

function rotating(kept: () => Kept): RotatingSecret {
  return {
    async labels() {
      const { labels } = kept()
      const [current, pending] = [labels.get('AWSCURRENT'), labels.get('AWSPENDING')]
      return { ...(current !== undefined && { current }), ...(pending !== undefined && { pending }) }
    },
    async read(version) {
      const text = kept().texts.get(version)
      return text === undefined ? undefined : new Secret(text)
    },
    async putPending(version, secret) {
      const { texts, labels } = kept()
      const text = secret.reveal()
      if (texts.has(version)) return texts.get(version) === text
      texts.set(version, text)
      labels.set('AWSPENDING', version)
      if (!labels.has('AWSCURRENT')) labels.set('AWSCURRENT', version)
      return true
    },
    async makeCurrent(version, before) {
      const { labels } = kept()
      const current = labels.get('AWSCURRENT')
      if (current !== version && current !== before) return false
      labels.set('AWSCURRENT', version)
      return true
    },
    async giveUp(version) {
      const { labels } = kept()
      if (labels.get('AWSPENDING') === version) labels.delete('AWSPENDING')
    },
  }
}
