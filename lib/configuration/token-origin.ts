import type { TokenConnection } from './connection.ts'

/** What the element of a token says about it. The rest of the connection comes from the `endpointConnection`. */
export type TokenOrigin<C extends TokenConnection = TokenConnection> = C extends TokenConnection
  ? Omit<C, 'name' | 'elements' | 'api' | 'clientCertificateSubjects' | 'others' | 'isFurther' | 'warming'>
  : never
