/** RFC 7523 section 2.1. */
export const jwtBearer = 'urn:ietf:params:oauth:grant-type:jwt-bearer'

/** The grant types, as a token request names them. */
export const grantTypes = ['client_credentials', 'password', jwtBearer] as const

/** The short names that elements may use. */
export const grantTypesByShortName = { 'jwt-bearer': jwtBearer } as const
