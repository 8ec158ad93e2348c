import { join } from 'node:path'
import { AssetHashType, DockerImage } from 'aws-cdk-lib'
import { Code } from 'aws-cdk-lib/aws-lambda'
import { bundleFunctionSync } from '../bundle.ts'

const functionsFolder = join(import.meta.dirname, '..', '..', 'functions')

/** A function as our own bundler makes it: its folder with all its files, which Lambda starts as `index.handler`. */
export function codeOf(name: string): Code {
  return Code.fromAsset(join(functionsFolder, name), {
    // What was built decides whether it is deployed again: most of it comes from other folders than the function's.
    assetHashType: AssetHashType.OUTPUT,
    bundling: {
      image: DockerImage.fromRegistry('never-run'),
      local: {
        tryBundle(outputFolder) {
          bundleFunctionSync(name, outputFolder)
          return true
        },
      },
    },
  })
}
