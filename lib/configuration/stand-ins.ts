/** The ids of the elements that stand in where a reference is left out. */
export const standIns = {
  keyStore: 'defaultKeyStore',
  ssl: 'defaultSSLConfig',
  sslDefault: 'default',
} as const
