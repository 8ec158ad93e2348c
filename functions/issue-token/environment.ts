import type { Surroundings } from '../../lib/configuration/surroundings.ts'

/** What the function is told by its environment variables. */
export interface Environment {
  readonly surroundings: Surroundings
  /** A JSON file or a folder. */
  readonly elementsPath: string
  readonly secretsFolder: string
  /** The claim of a JWT authorizer that lists the caller's connections; absent behind IAM. */
  readonly connectionsClaim?: string
}

/** @throws {Error} naming every variable that is missing or wrong */
export function readEnvironment(variables: Readonly<Record<string, string | undefined>>): Environment {
  const complaints: string[] = []
  const required = (name: string, isRight: (value: string) => boolean, form: string) => {
    const value = variables[name] ?? ''
    if (!isRight(value)) complaints.push(`${name} must be ${form}`)
    return value
  }

  const stage = required('TOKENWELL_STAGE', (value) => /^[A-Za-z0-9_-]{1,32}$/.test(value), 'the name of the stage')
  const publicUrl = required('TOKENWELL_PUBLIC_URL', URL.canParse, 'the URL at which callers reach Tokenwell')
  const elementsPath = required('TOKENWELL_ELEMENTS', Boolean, 'the path of the elements')
  const secretsFolder = required('TOKENWELL_SECRETS', Boolean, 'the path of the folder of secrets')
  if (complaints.length > 0) throw new Error(`${complaints.join('; ')}.`)

  const { AWS_LAMBDA_FUNCTION_NAME, TOKENWELL_CONNECTIONS_CLAIM } = variables
  return {
    surroundings: { stage, publicUrl: publicUrl.replace(/\/+$/, ''), isLambda: AWS_LAMBDA_FUNCTION_NAME !== undefined },
    elementsPath,
    secretsFolder,
    ...(TOKENWELL_CONNECTIONS_CLAIM && { connectionsClaim: TOKENWELL_CONNECTIONS_CLAIM }),
  }
}
