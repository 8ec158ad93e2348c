import { type ElementReference, keyOf } from './element.ts'
import type { ElementReading } from './element-store.ts'
import type { Finding } from './finding.ts'

const attribute = 'tokenGeneratorRef'

/** A warning for each token of callers that an authorization server could take for the assertion of a client: same key, same `aud`. */
export function checkSharedBuilders(readings: readonly ElementReading[]): Finding[] {
  return readings.flatMap((local): Finding[] => {
    if (local.reference.kind !== 'authTokenLocal' || isAccepted(local)) return []
    const builder = builderOf(local)
    const twin = readings.find((each) => each.reference.kind === 'oAuthTokenConfig' && builderOf(each) === builder)
    if (builder === undefined || !twin || !hasAudiences(builder, readings)) return []
    return [{ severity: 'warning', element: local.reference, attribute, sentence: sentenceOf(builder, twin.reference) }]
  })
}

/** Undefined where `claims` has an `aud` of its own. */
function builderOf({ attributes }: ElementReading): string | undefined {
  if ('claims' in attributes && Object.hasOwn(attributes.claims, 'aud')) return undefined
  return attribute in attributes ? attributes[attribute] : undefined
}

function hasAudiences(id: string, readings: readonly ElementReading[]): boolean {
  const builder = readings.find(({ reference }) => reference.kind === 'jwtBuilder' && reference.id === id)
  return builder !== undefined && 'audiences' in builder.attributes
}

function isAccepted({ attributes }: ElementReading): boolean {
  return 'acceptedWarnings' in attributes && attributes.acceptedWarnings.includes(attribute)
}

function sentenceOf(builder: string, config: ElementReference): string {
  return `jwtBuilder/${builder} also signs the JWTs of ${keyOf(config)}, with the same aud: a caller that gets this token may authenticate with it as the client. Use another jwtBuilder, with the audiences of the API.`
}
