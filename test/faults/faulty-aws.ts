import type { TestContext } from 'node:test'
import { copyToEmulator } from '../../infra/local/stores.ts'
import type { Workspace } from '../../infra/local/workspace.ts'
import { setEnvironment, startMovedClock } from '../support/process/this-process.ts'
import { type AwsAnswer, type AwsProxy, awsError, startAwsProxy } from '../support/servers/aws-proxy.ts'
import { type Moto, startMoto } from '../support/servers/moto.ts'
import { startIfThere } from '../support/servers/real-server.ts'

/** The AWS services that the functions need, and their names in the SDK. */
const services = { DynamoDB: 'DYNAMODB', 'Secrets Manager': 'SECRETS_MANAGER', 'Parameter Store': 'SSM' } as const

export type Service = keyof typeof services
export const allServices = Object.keys(services) as Service[]

/** How a service can fail. */
const answers = {
  reset: 'reset',
  hung: 'held',
  'slow, 500 ms': { afterMilliseconds: 500 },
  'slow, 10 s': { afterMilliseconds: 10_000 },
  throttling: awsError(400, 'ThrottlingException'),
  'full of garbage': { status: 200, body: '<html>Welcome to the hotel</html>' },
  denying: awsError(400, 'AccessDeniedException'),
} satisfies Record<string, AwsAnswer>

export type Fault = 'refusing connections' | keyof typeof answers
export const faults: readonly Fault[] = ['refusing connections', ...(Object.keys(answers) as Fault[])]

/** Emulated services, each behind a proxy that fails on demand. */
export interface FaultyAws {
  readonly moto: Moto
  readonly proxies: Readonly<Record<Service, AwsProxy>>
  /**
   * Copies the workspace to AWS.
   * @returns the environment variables of a function that uses it
   */
  move(workspace: Workspace): Promise<Record<string, string>>
  break(broken: readonly Service[], fault: Fault): void
  /** Ends all faults. */
  mend(): Promise<void>
  /** Moves the clock ahead. */
  age(milliseconds: number): void
}

/** Undefined if moto is not installed. */
export async function startFaultyAws(t: TestContext): Promise<FaultyAws | undefined> {
  const moto = await startIfThere(t, () => startMoto(t))
  if (!moto) return undefined
  const started = allServices.map(async (service) => [service, await startAwsProxy(t, moto.endpoint)] as const)
  const proxies = Object.fromEntries(await Promise.all(started)) as Record<Service, AwsProxy>
  const endpoints = allServices.map((service) => [`AWS_ENDPOINT_URL_${services[service]}`, proxies[service].endpoint])
  setEnvironment(t, { ...moto.environment, ...Object.fromEntries(endpoints) })
  const refusing = new Set<Service>()
  return {
    moto,
    proxies,
    move: async (workspace) => ({ ...(await copyToEmulator(workspace)).environment }),
    break(broken, fault) {
      for (const service of broken)
        if (fault !== 'refusing connections') proxies[service].answerAll(answers[fault])
        else {
          proxies[service].refuse()
          refusing.add(service)
        }
    },
    async mend() {
      for (const service of allServices) proxies[service].answerAll()
      await Promise.all([...refusing].map((service) => proxies[service].listenAgain()))
      refusing.clear()
    },
    age: startMovedClock(t),
  }
}
