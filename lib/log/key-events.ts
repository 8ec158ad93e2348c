import { type Failed, type OfBuilder, row, type Took } from './event-row.ts'

/** Rotation and publication of keys. */
export const keyEvents = {
  rotation_step_done: row<OfBuilder & Took & { readonly step: string }>({
    level: 'info',
    sentence: (event) =>
      `The rotation step ${event.step} of jwtBuilder/${event.jwtBuilder} is done (${event.milliseconds} ms).`,
    isShownWhileServing: true,
  }),
  /** Builder and step are absent if the request names none that can be read. */
  rotation_failed: row<Partial<OfBuilder> & Failed & { readonly step?: string }>({
    level: 'warn',
    metrics: () => ({ RotationsFailed: 1 }),
    sentence: ({ step = 'of unknown name', reason }) => `The rotation step ${step} failed: ${reason}`,
    isShownWhileServing: true,
  }),
  keys_published: row<
    OfBuilder & {
      /** The number of published keys. */
      readonly keys: number
      /** Time since the publication was signed. Absent if there is no publication. */
      readonly signatureAgeSeconds?: number
      /** How long the current key has been signing. Present for keys that are rotated. */
      readonly keyAgeSeconds?: number
      /** Whether the next key is late. Present if Tokenwell makes the keys. */
      readonly isKeyOverdue?: boolean
    }
  >({
    level: 'info',
    metrics({ signatureAgeSeconds, keyAgeSeconds, isKeyOverdue }) {
      return {
        ...(signatureAgeSeconds !== undefined && { PublicationAge: signatureAgeSeconds }),
        ...(keyAgeSeconds !== undefined && { SigningKeyAge: keyAgeSeconds }),
        // A zero shows that the check ran. Without it an alarm could not tell a good result from no result.
        ...(isKeyOverdue !== undefined && { SigningKeyOverdue: Number(isKeyOverdue) }),
      }
    },
    dimensions: ['jwtBuilder'],
    sentence: ({ jwtBuilder, keys }) =>
      keys === 0
        ? `jwtBuilder/${jwtBuilder} publishes no public key. This is normal if it signs with a shared key.`
        : `jwtBuilder/${jwtBuilder} publishes public keys: ${keys}.`,
    isShownWhileServing: true,
  }),
  /** By an operator's event. `wasPublished`: whether a key with that `kid` was published. If not, the `kid` may be misspelt. */
  key_revoked: row<OfBuilder & { readonly kid: string; readonly wasPublished: boolean }>({
    level: 'warn',
    sentence: ({ jwtBuilder, kid, wasPublished }) =>
      wasPublished
        ? `The key ${kid} of jwtBuilder/${jwtBuilder} is revoked.`
        : `The key ${kid} of jwtBuilder/${jwtBuilder} is revoked, but no key with that kid was published. Check the kid.`,
    isShownWhileServing: true,
  }),
  /** The earlier publication stays until its signature is too old. */
  publication_failed: row<OfBuilder & Failed & { readonly signatureAgeSeconds?: number }>({
    level: 'warn',
    metrics: ({ signatureAgeSeconds: age }) => (age === undefined ? undefined : { PublicationAge: age }),
    dimensions: ['jwtBuilder'],
    sentence: ({ jwtBuilder, reason, signatureAgeSeconds: age }) =>
      age === undefined
        ? `The keys of jwtBuilder/${jwtBuilder} cannot be published: ${reason}`
        : `The keys of jwtBuilder/${jwtBuilder} cannot be published again, so the earlier publication stays: ${reason}`,
    isShownWhileServing: true,
  }),
  /** Someone else wrote the record of the published keys, or restored an old one. None of its keys is served. */
  publication_refused: row<
    OfBuilder & { readonly why: 'unsigned' | 'wrong_signature' | 'too_old' | 'signed_in_the_future' }
  >({
    level: 'warn',
    metrics: () => ({ PublicationsRefused: 1 }),
    dimensions: ['jwtBuilder'],
    sentence: (event) => `The publication of jwtBuilder/${event.jwtBuilder} in the cache is refused: ${event.why}.`,
    isShownWhileServing: true,
  }),
  /** The first end of what a secret holds. Logged hourly by an instance, for a connection in use. */
  secret_expiry_checked: row<{ readonly secret: string; readonly expiresOn: string; readonly daysLeft: number }>({
    level: 'info',
    metrics: ({ daysLeft }) => ({ SecretExpiresInDays: daysLeft }),
    sentence: ({ secret, expiresOn, daysLeft }) =>
      daysLeft < 0
        ? `The secret ${secret} expired on ${expiresOn}. Tokenwell still uses it.`
        : `The secret ${secret} expires on ${expiresOn}. Whole days left: ${daysLeft}.`,
  }),
  /** A date in a secret that the operator must know about. The element names the attribute that uses the secret. */
  secret_date_noticed: row<{ readonly secret: string; readonly element: string; readonly reason: string }>({
    level: 'warn',
    sentence: ({ element, reason }) => `${element}: ${reason}`,
    isShownWhileServing: true,
  }),
} as const
