import type { X509Certificate } from 'node:crypto'
import { TokenwellError } from '../base/tokenwell-error.ts'
import type { KmsKeyReference } from '../configuration/assertion-configuration.ts'
import type { Connection } from '../configuration/connection.ts'
import type { Finding } from '../configuration/finding.ts'
import { expiresSoonDays } from '../log/metric.ts'
import type { Secret } from '../secret/secret.ts'
import type { SecretStore } from '../secret/secret-store.ts'
import { writtenCertificates } from './kms-certificates.ts'
import { readExpiresAt } from './secret-use.ts'
import { readSigningKeys } from './signing-secret.ts'
import { secretsOf, type UsedSecret } from './used-secrets.ts'

type Certificates = readonly X509Certificate[]

/** Port: the certificates in secrets that TLS uses. They throw {SecretError} and {KeyStoreError}. */
export interface TlsCertificates {
  /** The certificates of a trust store. */
  trusted(location: string): Promise<Certificates>
  /** A client certificate. Its chain follows where it can be read. */
  presented(location: string): Promise<Certificates>
}

/** A secret of a connection with the dates in it. */
export interface DatedSecret extends UsedSecret {
  /** When the first of what it holds ends, in milliseconds since the epoch. Absent if nothing in it has an end that counts. */
  readonly expiresAt?: number
  readonly notices: readonly DateNotice[]
}

/** A date that an operator must know about. */
export interface DateNotice {
  readonly kind: 'expired' | 'expires_soon' | 'not_valid_yet' | 'unreadable'
  /** Of the certificate. Absent for the date that the secret itself states. */
  readonly subject?: string
  /** Such as 2027-01-31, in UTC. Empty for a date that can't be read. */
  readonly day: string
  /** Whether it is never a mistake. */
  readonly isMinor: boolean
}

export const dayMilliseconds = 86_400_000

/** Finds out when secrets end. No request depends on it: the server decides what it still accepts, and our clock may be wrong. */
export type SecretDates = ReturnType<typeof createSecretDates>

export function createSecretDates({
  secrets,
  certificates,
}: {
  readonly secrets: SecretStore
  readonly certificates: TlsCertificates
}) {
  const parsed = new Map<string, { readonly secret: Secret; readonly certificates: Promise<Certificates> }>()

  /** Many connections share a secret, and it takes milliseconds to parse a bundle of CAs. */
  async function certificatesOf(used: UsedSecret, secret: Secret): Promise<Certificates> {
    const id = JSON.stringify([used.use, used.secret, used.alias, used.hasChain])
    const known = parsed.get(id)
    if (known?.secret.equals(secret)) return await known.certificates
    const certificates = certificatesIn(used, secret)
    parsed.set(id, { secret, certificates })
    certificates.catch(() => parsed.delete(id))
    return await certificates
  }

  async function certificatesIn(used: UsedSecret, secret: Secret): Promise<Certificates> {
    switch (used.use) {
      case 'text':
        return []
      case 'signature':
        return readSigningKeys(used.secret, secret)
          .filter(({ keyId }) => used.alias === undefined || used.alias === keyId)
          .flatMap((key) => key.certificates.slice(0, used.hasChain ? undefined : 1))
      case 'client_certificate':
        return await certificates.presented(used.secret)
      case 'trust':
        return await certificates.trusted(used.secret)
    }
  }

  /** Undefined if the secret can't be used. A token request and `validate` say why. */
  async function look(used: UsedSecret, now: number): Promise<DatedSecret | undefined> {
    try {
      if (used.kmsKey) return datedBy(used, writtenChain(used, used.kmsKey), { kind: 'none' }, now)
      const secret = await secrets.get(used.secret)
      const stated = readExpiresAt(secret)
      const found = await certificatesOf(used, secret)
      return datedBy(used, found, stated, now)
    } catch (error) {
      if (error instanceof TokenwellError) return undefined
      throw error
    }
  }

  return {
    /**
     * The secrets that a connection uses, with their dates. Keys that Tokenwell makes have none.
     * @param now milliseconds since the epoch
     */
    async of(connection: Connection, now: number): Promise<readonly DatedSecret[]> {
      const looks = await Promise.all(secretsOf(connection).map((used) => look(used, now)))
      return looks.filter((each) => each !== undefined)
    },
  }
}

/** The certificates of a KMS key that a server sees. */
function writtenChain({ hasChain }: UsedSecret, key: KmsKeyReference): Certificates {
  return writtenCertificates(key).slice(0, hasChain ? undefined : 1)
}

function datedBy(
  used: UsedSecret,
  found: Certificates,
  stated: ReturnType<typeof readExpiresAt>,
  now: number,
): DatedSecret {
  const isMinor = isMinorIn(used, found, now)
  const ends = found.map(({ validToDate }) => +validToDate).filter((end) => end > now || !isMinor)
  if (stated.kind === 'date') ends.push(stated.expiresAt)
  return {
    ...used,
    ...(ends.length > 0 && { expiresAt: Math.min(...ends) }),
    notices: [...noticesOfText(stated, now), ...noticesOfCertificates(found, isMinor, now)],
  }
}

/** How a message names what holds the dates. */
export function holderOf({ secret, kmsKey }: DatedSecret): string {
  return kmsKey ? `The keyStore of ${secret}` : `The secret ${secret}`
}

/** Whether an end that has passed counts for nothing: no server sees the certificate, or a bundle of CAs has others that are valid. */
function isMinorIn({ use, isPresented = true }: UsedSecret, certificates: Certificates, now: number): boolean {
  return use === 'trust' ? certificates.some(({ validToDate }) => +validToDate > now) : !isPresented
}

function noticesOfText(stated: ReturnType<typeof readExpiresAt>, now: number): readonly DateNotice[] {
  if (stated.kind === 'none') return []
  if (stated.kind === 'unreadable') return [{ kind: 'unreadable', day: '', isMinor: false }]
  const kind = endKind(stated.expiresAt, now)
  return kind ? [{ kind, day: dayOf(stated.expiresAt), isMinor: false }] : []
}

function noticesOfCertificates(certificates: Certificates, isMinor: boolean, now: number): readonly DateNotice[] {
  return certificates.flatMap((certificate): DateNotice[] => {
    const [from, until] = [+certificate.validFromDate, +certificate.validToDate]
    const subject = certificate.subject.replaceAll('\n', ', ')
    const kind = endKind(until, now)
    if (kind) return [{ kind, subject, day: dayOf(until), isMinor }]
    return from > now ? [{ kind: 'not_valid_yet', subject, day: dayOf(from), isMinor }] : []
  })
}

function endKind(until: number, now: number): 'expired' | 'expires_soon' | undefined {
  if (until <= now) return 'expired'
  return until < now + expiresSoonDays * dayMilliseconds ? 'expires_soon' : undefined
}

/** Such as 2027-01-31, in UTC. */
export function dayOf(milliseconds: number): string {
  return new Date(milliseconds).toISOString().slice(0, 10)
}

/**
 * The findings on these secrets, each with its name. A date that has passed or can't be read is a mistake, although Tokenwell still uses
 * the secret.
 */
export function dateFindings(dated: readonly DatedSecret[]): readonly Finding[] {
  return dated.flatMap((each) =>
    each.notices.map((notice) => ({
      severity: isMistake(notice) ? ('mistake' as const) : ('warning' as const),
      ...{ element: each.element, attribute: each.attribute, sentence: describeNotice(notice, holderOf(each)) },
    })),
  )
}

function isMistake({ kind, isMinor }: DateNotice): boolean {
  return !isMinor && (kind === 'expired' || kind === 'unreadable')
}

/**
 * The same for callers: without the name of a secret, and all as warnings, because a connection with a mistake can't be used.
 */
export function dateWarnings(dated: readonly DatedSecret[]): readonly Finding[] {
  return dated.flatMap(({ element, attribute, notices, kmsKey }) =>
    notices.map((notice) => ({
      severity: 'warning' as const,
      ...{ element, attribute, sentence: describeNotice(notice, kmsKey ? 'The keyStore' : 'The secret') },
    })),
  )
}

/** @param secret such as `The secret tokenwell/prod/my-key` */
export function describeNotice({ kind, subject, day }: DateNotice, secret: string): string {
  if (kind === 'unreadable')
    return `${secret} holds an expiresAt that is not a date. Write it as 2027-01-31 or 2027-01-31T12:00:00Z.`
  if (subject === undefined)
    return kind === 'expired'
      ? `${secret} expired on ${day}, as its expiresAt says. Get a new one from the server that accepts it, and store it with its date.`
      : `${secret} expires on ${day}, as its expiresAt says. Get a new one from the server that accepts it, and store it before that day.`
  switch (kind) {
    case 'expired':
      return `${secret} holds the certificate of ${subject}, which expired on ${day}. Replace the certificate.`
    case 'not_valid_yet':
      return `${secret} holds the certificate of ${subject}, which is not valid before ${day}. Replace the certificate, or wait until that day.`
    case 'expires_soon':
      return `${secret} holds the certificate of ${subject}, which expires on ${day}. Replace the certificate before that day.`
  }
}
