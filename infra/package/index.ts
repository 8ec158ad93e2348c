/* What `import ... from 'tokenwell'` gives. */
export type { EarlierVersion, FunctionName, Throttle } from '../stack/function-table.ts'
export type { JwtAuthorization, ThrottleByFunction } from '../stack/http-interface.ts'
export type { Network } from '../stack/network.ts'
export type { LogSettings } from '../stack/retained-log.ts'
export type { MemoryMegabytes, ReservedConcurrency } from '../stack/stage-functions.ts'
export type { TelemetrySettings } from '../stack/telemetry.ts'
export { Tokenwell, type TokenwellProps, type ValkeyCache } from '../stack/tokenwell.ts'
