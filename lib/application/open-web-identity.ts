import { createLazy } from '../base/single-flight.ts'
import { type WebIdentity, WebIdentityError } from '../signing/web-identity.ts'
import type { Environment } from './environment.ts'

/** AWS STS, loaded at its first use: few connections have an identity of AWS. */
export function openWebIdentity({ deployment: { stage }, identityRole }: Environment, now: () => number): WebIdentity {
  const adapter = createLazy(() => importWebIdentity(stage, identityRole, now))
  return {
    async token(request) {
      const webIdentity = await adapter.get()
      return await webIdentity.token(request)
    },
  }
}

async function importWebIdentity(
  stage: string,
  identityRole: string | undefined,
  now: () => number,
): Promise<WebIdentity> {
  if (identityRole === undefined) return withoutRole
  return (await import('../adapters/aws/sts-web-identity.ts')).stsWebIdentity({ stage, identityRole, now })
}

const withoutRole: WebIdentity = {
  async token({ awsWebIdentity }) {
    throw new WebIdentityError(
      awsWebIdentity,
      'This stage has no role that AWS could vouch for. Deploy the element with the stage (elements or webIdentities). Outside AWS, set TOKENWELL_IDENTITY_ROLE to the ARN of a role that your AWS credentials may assume.',
    )
  },
}
