import { cloudformationAnswers } from '../adapters/aws/cloudformation-response.ts'
import { invokeLater } from '../adapters/aws/lambda-continuation.ts'
import { parameterStoreWriter } from '../adapters/aws/parameter-store-writer.ts'
import { readS3Object } from '../adapters/aws/s3-object.ts'
import { textElements } from '../adapters/files/file-elements.ts'
import { createPowertoolsLog } from '../adapters/log/powertools.ts'
import { createSteadyClock } from '../adapters/process/clock.ts'
import type { Environment } from './environment.ts'
import { openEvents } from './open-adapters.ts'

/** Opens the adapters that write the elements of a deployment. */
export function openElementDeployment({ deployment, events, logDetail, emulatorOrigin }: Environment) {
  const { stage } = deployment
  return {
    deployment,
    writer: parameterStoreWriter({ stage }),
    readObject: readS3Object,
    readElements: textElements,
    events: openEvents(events, stage),
    continueLater: invokeLater,
    answers: cloudformationAnswers(emulatorOrigin),
    now: createSteadyClock(),
    log: createPowertoolsLog(stage, logDetail),
  }
}
