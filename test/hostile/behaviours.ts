import type { Family } from './behaviour.ts'
import { bodies } from './bodies.ts'
import { lifetimes } from './lifetimes.ts'
import { redirects } from './redirects.ts'
import { refusals } from './refusals.ts'
import { tls } from './tls.ts'
import { tokens } from './tokens.ts'
import { transport } from './transport.ts'
import { waiting } from './waiting.ts'

export const families: readonly Family[] = [lifetimes, tokens, bodies, refusals, waiting, redirects, transport, tls]
