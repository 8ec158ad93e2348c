import { UnexpectedError } from '../log/unexpected-error.ts'
import { describeFailure } from './describe-failure.ts'

/** What a function may throw of an error: itself if it is ours, of any other its kind and place. The arguments are those of `describeFailure`. */
export function errorToThrow(...[error, classes]: Parameters<typeof describeFailure>): unknown {
  return describeFailure(error, classes).code === 'unexpected' ? new UnexpectedError(error) : error
}
