/** RFC 7523 section 2.1. */
export const jwtBearer = 'urn:ietf:params:oauth:grant-type:jwt-bearer'
/** RFC 8693 section 2.1. */
export const tokenExchange = 'urn:ietf:params:oauth:grant-type:token-exchange'

/** Zoom's name for its grant by client credentials, with the parameter `account_id`. */
export const accountCredentials = 'account_credentials'

/** The grant types, as a token request names them. */
export const grantTypes = ['client_credentials', 'password', accountCredentials, jwtBearer, tokenExchange] as const

/** The short names that elements may use. */
export const grantTypesByShortName = { 'jwt-bearer': jwtBearer, 'token-exchange': tokenExchange } as const

/** The type of a token in an exchange (RFC 8693 section 3), by the short name that elements may use. */
export const tokenTypesByShortName = {
  jwt: 'urn:ietf:params:oauth:token-type:jwt',
  access_token: 'urn:ietf:params:oauth:token-type:access_token',
  id_token: 'urn:ietf:params:oauth:token-type:id_token',
  refresh_token: 'urn:ietf:params:oauth:token-type:refresh_token',
  saml1: 'urn:ietf:params:oauth:token-type:saml1',
  saml2: 'urn:ietf:params:oauth:token-type:saml2',
} as const
