import { TokenwellError } from '../base/tokenwell-error.ts'
import type { ConnectionCache } from '../configuration/connection-cache.ts'
import { UnknownConnectionError } from '../configuration/finding.ts'
import { AccessDeniedError } from './access-denied.ts'

/**
 * A caller with a client certificate may use the connections whose elements list the subject of the certificate. An unknown
 * connection is refused like any other, so that nobody can find out which connections exist.
 * @param subject exactly as API Gateway writes it
 * @throws {AccessDeniedError}
 * @throws {TokenwellError} if the elements cannot be read
 */
export async function demandCertificateSubject(
  connections: ConnectionCache,
  name: string,
  subject: string,
): Promise<void> {
  const subjects = await subjectsOf(connections, name)
  if (subjects.includes(subject)) return
  throw new AccessDeniedError(
    `The client certificate of ${subject} has no access to the connection ${name}. To allow it, the operator adds this subject to clientCertificateSubjects in endpointConnection/${name}.`,
  )
}

async function subjectsOf(connections: ConnectionCache, name: string): Promise<readonly string[]> {
  try {
    const { connection } = await connections.get(name)
    return connection.clientCertificateSubjects ?? []
  } catch (error) {
    if (error instanceof UnknownConnectionError) return []
    throw error
  }
}

/** The HTTP API for client certificates passes on no certificate. */
export class CertificateMissingError extends TokenwellError {
  readonly code = 'certificate_missing'

  constructor() {
    super(
      'The request has no client certificate. Call the domain for client certificates, and send a certificate in the TLS handshake.',
    )
  }

  override get publicMessage(): string {
    return this.message
  }
}
