import type { Stack } from 'aws-cdk-lib'
import type { EventBus } from 'aws-cdk-lib/aws-events'
import type { IKey } from 'aws-cdk-lib/aws-kms'
import type { CacheSecret } from './cache-secret.ts'
import type { RefreshQueue } from './refresh-queue.ts'
import type { TelemetrySettings } from './telemetry.ts'
import type { TokenTable } from './token-table.ts'

/** The versions whose records can be read during an upgrade from them. */
export type EarlierVersion = '0.1'

/** What the functions of one stage share. */
export interface StageResources {
  readonly stack: Stack
  readonly stage: string
  readonly publicUrl: string
  /** `dynamodb:<table>`, or the URL of a Valkey server. */
  readonly cachePlace: string
  /** Undefined if tokens are kept in Valkey. */
  readonly table: TokenTable | undefined
  readonly bus: EventBus
  readonly refreshes: RefreshQueue
  readonly cacheSecret: CacheSecret
  readonly publicationKey: IKey
  readonly encryptionKey?: IKey
  readonly connectionsClaim?: string
  /** The aliases of the KMS keys that sign for the stage. */
  readonly kmsAliases: readonly string[]
  /** The ARNs of the roles for which AWS signs identity tokens. */
  readonly identityRoles: readonly string[]
  readonly readRecordsOf?: EarlierVersion
  readonly telemetry: TelemetrySettings
}
