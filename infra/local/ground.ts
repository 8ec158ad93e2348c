import { moveToAws } from './aws-ground.ts'
import type { Workspace } from './workspace.ts'

interface GroundOptions {
  readonly isAws: boolean
  readonly print: (line: string) => void
}

/** The environment variables that tell a function where its elements, secrets and tokens are. */
export async function groundOf(
  workspace: Workspace,
  { isAws, print }: GroundOptions,
): Promise<Readonly<Record<string, string>>> {
  if (isAws) {
    const { parameters, secrets, tableName, environment } = await moveToAws(workspace)
    print(
      `  aws        ${parameters} parameters, ${secrets} secrets and the table ${tableName} at the endpoint of the SDK`,
    )
    return environment
  }
  const { elementsPath, secretsFolder } = workspace
  return { TOKENWELL_ELEMENTS: elementsPath, TOKENWELL_SECRETS: secretsFolder, TOKENWELL_CACHE: 'memory:local' }
}
