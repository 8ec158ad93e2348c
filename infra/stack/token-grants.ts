import {
  type FunctionGrant,
  mayAssume,
  mayDecrypt,
  mayListElements,
  mayPutEvents,
  mayReadElements,
  mayReadPublishedKeys,
  mayReadSecretsOfStage,
  maySignPublications,
  maySignWithKmsKeys,
  mayUseTable,
  mayUseTableButPublishedKeys,
  mayVerifyPublications,
} from './grants.ts'
import type { StageResources } from './stage-resources.ts'

/* The rights of the functions that get tokens. */

/**
 * For a function that requests tokens, shares them with the fleet and raises events. It lists the ids of elements so that an error
 * about an unknown reference can suggest the id that was meant.
 */
export function grantsForTokens(resources: StageResources): FunctionGrant[] {
  const { table, kmsAliases, publicationKey } = resources
  const readsPublications = kmsAliases.length > 0
  return [
    ...(table ? [mayUseTableButPublishedKeys(table)] : []),
    ...(table && readsPublications ? [mayReadPublishedKeys(table)] : []),
    ...(readsPublications ? [mayVerifyPublications(publicationKey)] : []),
    ...grantsWithoutRecords(resources),
  ]
}

/** For a function that also publishes keys. */
export function grantsForPublishing(resources: StageResources): FunctionGrant[] {
  const { table, publicationKey } = resources
  return [
    ...(table ? [mayUseTable(table)] : []),
    maySignPublications(publicationKey),
    ...grantsWithoutRecords(resources),
  ]
}

function grantsWithoutRecords(resources: StageResources): FunctionGrant[] {
  const { stack, stage, encryptionKey, bus, kmsAliases, identityRoles } = resources
  return [
    mayReadElements(stack, stage),
    mayListElements(stack, stage),
    mayReadSecretsOfStage(stack, stage),
    ...(encryptionKey ? [mayDecrypt(encryptionKey)] : []),
    ...maySignWithKmsKeys(stack, kmsAliases),
    ...mayAssume(identityRoles),
    mayPutEvents(bus),
  ]
}
