/** What an AWS service answers instead of a result. Each protocol writes it in its own form. */
export class AwsRefusal extends Error {
  readonly code: string
  readonly status: number
  constructor(code: string, message: string, status = 400) {
    super(message)
    this.code = code
    this.status = status
  }
}
