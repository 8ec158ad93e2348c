/** What resolution needs to know of the deployment. */
export interface Surroundings {
  /** Where callers reach the HTTP API, without a slash at its end: part of the default `iss`. */
  readonly publicUrl: string
  /** Names this deployment in the names of its secrets and parameters: `local`, `test`, `prod`. */
  readonly stage: string
  /** Whether the functions run on Lambda, where nothing but Lambda listens on the loopback address. */
  readonly isLambda: boolean
}

/** The name under which a deployment logs and counts. */
export function serviceName(stage: string): string {
  return `tokenwell-${stage}`
}

/** All secrets of a deployment live under it, and grants name it. */
export function secretPrefix({ stage }: Pick<Surroundings, 'stage'>): string {
  return `tokenwell/${stage}/`
}
