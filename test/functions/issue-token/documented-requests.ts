import { jwtBearer, tokenExchange } from '../../../lib/configuration/grant-type.ts'
import type { JwtBearerRules } from '../../support/servers/strict-jwt-bearer.ts'

/* The token request that each server documents. The pages that say so are named in lib/configuration/providers.md. */

interface DocumentedJwt {
  readonly header: Readonly<Record<string, unknown>>
  readonly claims: Readonly<Record<string, unknown>>
  /** `exp` less `iat`, in seconds. */
  readonly lifetime: number
}

export interface DocumentedRequest {
  /** Every parameter of the body. */
  readonly form: Readonly<Record<string, string>>
  /** Client id and secret of the header, if there is one. */
  readonly headers?: { readonly authorization: string }
  /** The JWTs in the body, by parameter. Each `iat` is now, and each `jti` is new. */
  readonly jwts: Readonly<Record<string, DocumentedJwt>>
  /** Members of the answer, beside the token. */
  readonly answer: Readonly<Record<string, unknown>>
  /** The lifetime of the token in seconds. By default an hour. */
  readonly lifetime?: number
  /** Members that callers get. */
  readonly caller?: Readonly<Record<string, unknown>>
  /** The server refuses whatever deviates from these rules. */
  readonly rules?: JwtBearerRules
}

const form = { grant_type: jwtBearer, assertion: 'a JWT' }
const rs256 = { alg: 'RS256', typ: 'JWT' }
const withKeyId = { ...rs256, kid: 'a kid' }
const jti = '16 to 128 characters'
const bearer = { token_type: 'Bearer', expires_in: 3600 }

export const documentedRequests: Readonly<Record<string, DocumentedRequest>> = {
  Salesforce: {
    form,
    jwts: {
      assertion: {
        header: withKeyId,
        claims: {
          iss: 'my-consumer-key',
          sub: 'my-integration-user@example.com',
          aud: 'https://login.salesforce.com',
          jti,
        },
        lifetime: 120,
      },
    },
    answer: {},
    caller: { instance_url: 'https://my-org.my.salesforce.com' },
    lifetime: 900,
    rules: {
      sources: ['https://help.salesforce.com/s/articleView?id=xcloud.remoteaccess_oauth_jwt_flow.htm'],
      algorithms: ['RS256'],
      audience: 'https://login.salesforce.com',
      issuer: 'my-consumer-key',
      subject: 'my-integration-user@example.com',
      longestSeconds: 180,
      otherClaims: ['iat', 'jti'],
      // No expires_in.
      answer: () => ({
        instance_url: 'https://my-org.my.salesforce.com',
        id: 'https://login.salesforce.com/id/00D/005',
        scope: 'api',
      }),
    },
  },
  'Google service account': {
    form,
    jwts: {
      assertion: {
        header: rs256,
        claims: {
          iss: 'my-account@my-project.iam.gserviceaccount.com',
          aud: 'https://oauth2.googleapis.com/token',
          scope: 'https://www.googleapis.com/auth/cloud-platform https://www.googleapis.com/auth/userinfo.email',
          jti,
        },
        lifetime: 300,
      },
    },
    answer: {},
    rules: {
      sources: ['https://developers.google.com/identity/protocols/oauth2/service-account'],
      algorithms: ['RS256'],
      audience: 'https://oauth2.googleapis.com/token',
      issuer: 'my-account@my-project.iam.gserviceaccount.com',
      scopes: ['https://www.googleapis.com/auth/cloud-platform', 'https://www.googleapis.com/auth/userinfo.email'],
      longestSeconds: 3600,
      issuedWithinSeconds: 300,
      otherClaims: ['iat', 'jti'],
      answer: () => ({ expires_in: 3599 }),
    },
    lifetime: 3599,
  },
  Docusign: {
    form,
    jwts: {
      assertion: {
        header: withKeyId,
        claims: {
          iss: 'my-integration-key',
          sub: 'my-user-guid',
          aud: 'account.docusign.com',
          scope: 'signature impersonation',
          jti,
        },
        lifetime: 300,
      },
    },
    answer: bearer,
  },
  Maskinporten: {
    form,
    jwts: {
      assertion: {
        header: withKeyId,
        claims: {
          iss: 'my-client-id',
          aud: 'https://maskinporten.no/',
          scope: 'my-prefix:orders.read',
          resource: ['https://api.example.no/'],
          jti,
        },
        lifetime: 110,
      },
    },
    answer: {},
    rules: {
      sources: [
        'https://docs.digdir.no/docs/Maskinporten/maskinporten_protocol_jwtgrant',
        'https://docs.digdir.no/docs/Maskinporten/maskinporten_protocol_token',
      ],
      algorithms: ['RS256', 'RS384', 'RS512'],
      audience: 'https://maskinporten.no/',
      issuer: 'my-client-id',
      scopes: ['my-prefix:orders.read', 'my-prefix:orders.write'],
      resource: 'list',
      longestSeconds: 120,
      issuedWithinSeconds: 10,
      demandsKeyId: true,
      otherClaims: ['iat', 'jti'],
      answer: (scope) => ({ expires_in: 599, scope }),
    },
    lifetime: 599,
  },
  Workday: {
    form,
    jwts: {
      assertion: {
        header: withKeyId,
        claims: { iss: 'my-client-id', sub: 'my-isu', aud: 'wd', jti },
        lifetime: 120,
      },
    },
    answer: bearer,
  },
  Box: {
    form: { ...form, client_id: 'my-client-id', client_secret: 'the secret' },
    jwts: {
      assertion: {
        header: withKeyId,
        claims: {
          iss: 'my-client-id',
          sub: 'my-enterprise-id',
          box_sub_type: 'enterprise',
          aud: 'https://api.box.com/oauth2/token',
          jti,
        },
        lifetime: 45,
      },
    },
    answer: bearer,
  },
  ServiceNow: {
    form: { ...form, client_id: 'my-client-id', client_secret: 'the secret' },
    jwts: {
      assertion: {
        header: withKeyId,
        claims: { iss: 'my-client-id', sub: 'my-user@example.com', aud: 'my-client-id', jti },
        lifetime: 120,
      },
    },
    answer: bearer,
  },
  'Keycloak: JWT authorization grant': {
    form: {
      ...form,
      scope: 'orders',
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      client_assertion: 'a JWT',
    },
    jwts: {
      assertion: {
        header: withKeyId,
        claims: {
          iss: 'https://tokenwell.example/jwt/keycloakIdentity',
          sub: 'my-linked-user',
          aud: 'https://keycloak.example.com/realms/my-realm',
          jti,
        },
        lifetime: 60,
      },
      client_assertion: {
        header: withKeyId,
        claims: { iss: 'my-client-id', sub: 'my-client-id', aud: 'https://keycloak.example.com/realms/my-realm', jti },
        lifetime: 60,
      },
    },
    answer: bearer,
  },
  Databricks: {
    form: {
      grant_type: tokenExchange,
      subject_token: 'a JWT',
      subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
      client_id: 'my-service-principal-id',
      scope: 'all-apis',
    },
    jwts: {
      subject_token: {
        header: withKeyId,
        claims: {
          iss: 'https://tokenwell.example/jwt/databricksBuilder',
          sub: 'my-workload',
          aud: 'my-databricks-account-id',
          jti,
        },
        lifetime: 120,
      },
    },
    answer: bearer,
    caller: { issued_token_type: 'urn:ietf:params:oauth:token-type:access_token' },
  },
  Adobe: {
    form: {
      grant_type: 'client_credentials',
      client_id: 'my-client-id',
      client_secret: 'the secret',
      scope: 'openid,AdobeID,read_organizations',
    },
    jwts: {},
    answer: { token_type: 'bearer', expires_in: 86_399 },
    lifetime: 86_399,
  },
  Zoom: {
    form: { grant_type: 'account_credentials', account_id: 'my-account-id' },
    headers: { authorization: 'my-client-id:the secret' },
    jwts: {},
    answer: { token_type: 'bearer', expires_in: 3600 },
  },
}
