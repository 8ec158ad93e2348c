import type { Family } from './behaviour.ts'
import { bodies } from './bodies.ts'
import { grants } from './grants.ts'
import { lifetimes } from './lifetimes.ts'
import { redirects } from './redirects.ts'
import { refusals } from './refusals.ts'
import { tls } from './tls.ts'
import { tokenServers } from './token-servers.ts'
import { tokens } from './tokens.ts'
import { transport } from './transport.ts'
import { waiting } from './waiting.ts'

/** What does not depend on the grant. Other clients are compared with Tokenwell in these. */
export const families: readonly Family[] = [lifetimes, tokens, bodies, refusals, waiting, redirects, transport, tls]

/** With what depends on the grant, and token servers that are not OAuth 2.0 servers. */
export const allFamilies: readonly Family[] = [...families, grants, tokenServers]
