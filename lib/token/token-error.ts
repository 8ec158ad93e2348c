import { ConfigurationError } from '../configuration/configuration-error.ts'
import { ElementStoreError } from '../configuration/element-store-error.ts'
import { UnknownConnectionError } from '../configuration/unknown-connection-error.ts'
import { SecretError } from '../secret/secret-error.ts'
import { KeyStoreError } from '../signing-key/key-store-error.ts'
import {
  RefusedError,
  TimedOutError,
  type TokenEndpointError,
  UnreachableError,
  UnreadableAnswerError,
} from '../token-endpoint/token-endpoint-error.ts'
import { CoolingDownError } from './cooling-down-error.ts'
import { InvalidRequestError } from './invalid-request-error.ts'

const classes = [
  ConfigurationError,
  CoolingDownError,
  ElementStoreError,
  InvalidRequestError,
  RefusedError,
  SecretError,
  KeyStoreError,
  TimedOutError,
  UnknownConnectionError,
  UnreachableError,
  UnreadableAnswerError,
] as const

/** All that can come instead of a token. Anything else is a fault of ours. */
export type TokenError = InstanceType<(typeof classes)[number]>

/** The failure that a cool-down began with; any other error is its own. */
export function causeOf<E>(error: E): E | TokenEndpointError {
  return (error instanceof CoolingDownError ? error.failure : undefined) ?? error
}

export function isTokenError(error: unknown): error is TokenError {
  return classes.some((each) => error instanceof each)
}
