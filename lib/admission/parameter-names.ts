/** The parameters that the elements may leave to a token request. */
export const grantParameters = [
  ...(['grant_type', 'scope', 'resource', 'audience', 'username', 'password'] as const),
  // RFC 8693 section 2.1. Its requested_token_type is a further parameter.
  ...(['subject_token', 'subject_token_type', 'actor_token', 'actor_token_type'] as const),
] as const

/** Parameters that authenticate the client, which Tokenwell does itself. In exactly this spelling they are dropped. */
export const clientParameters = ['client_id', 'client_secret', 'client_assertion', 'client_assertion_type'] as const

/** A parameter `claim.<name>` is a claim of the grant's assertion. */
export const claimPrefix = 'claim.'

/** The parameters for Tokenwell itself. They belong in the query of an HTTP request. */
export const queryParameters = ['authentication', 'minimum_seconds', 'rejected_token_id'] as const
