import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { AssetHashType, DockerImage } from 'aws-cdk-lib'
import { Code } from 'aws-cdk-lib/aws-lambda'
import type { FunctionFolder } from './function-table.ts'

/*
 * Where the construct finds the code of the functions. In the npm package, each function is built already: a folder beside this file.
 * In the repository, `infra/bundle.ts` builds it from source during the synthesis.
 */
const builtFunctions = join(import.meta.dirname, 'functions')
const sourceFunctions = join(import.meta.dirname, '..', '..', 'functions')
const bundleScript = join(import.meta.dirname, '..', 'bundle.ts')

/** A folder with all files of the function. Lambda starts it as `index.handler`. */
export function codeOf(name: FunctionFolder): Code {
  return existsSync(builtFunctions) ? Code.fromAsset(join(builtFunctions, name)) : bundledNow(name)
}

function bundledNow(name: FunctionFolder): Code {
  return Code.fromAsset(join(sourceFunctions, name), {
    // The hash of the output decides whether it is deployed again, because most of the code comes from other folders.
    assetHashType: AssetHashType.OUTPUT,
    bundling: {
      image: DockerImage.fromRegistry('never-run'),
      local: {
        tryBundle(outputFolder) {
          // Constructs are created synchronously, but esbuild accepts plugins only in its asynchronous API. So another process builds.
          execFileSync(process.execPath, [bundleScript, name, outputFolder], { stdio: ['ignore', 'ignore', 'inherit'] })
          return true
        },
      },
    },
  })
}
