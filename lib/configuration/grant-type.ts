/** RFC 7523 section 2.1. */
export const jwtBearer = 'urn:ietf:params:oauth:grant-type:jwt-bearer'

/** Zoom's name for its grant by client credentials, with the parameter `account_id`. */
export const accountCredentials = 'account_credentials'

/** The grant types, as a token request names them. */
export const grantTypes = ['client_credentials', 'password', accountCredentials, jwtBearer] as const

/** The short names that elements may use. */
export const grantTypesByShortName = { 'jwt-bearer': jwtBearer } as const
