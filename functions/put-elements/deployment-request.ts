import { isJsonObject, type JsonObject } from '../../lib/base/decoding.ts'
import { UnreadableEventError } from '../../lib/renewal/incoming-event.ts'

/** An object of S3 with the elements of a deployment. */
export interface DeployedElements {
  readonly bucket: string
  readonly key: string
}

/** What CloudFormation asks for, for the custom resource of a stage's elements. */
export interface DeploymentRequest {
  readonly type: 'Create' | 'Update' | 'Delete'
  /** What CloudFormation must get back. */
  readonly ids: { readonly StackId: string; readonly RequestId: string; readonly LogicalResourceId: string }
  readonly responseUrl: string
  /** Undefined for `Create`. */
  readonly physicalId: string | undefined
  readonly elements: DeployedElements
  /** The elements of the last deployment. Undefined unless the type is `Update`. */
  readonly formerElements: DeployedElements | undefined
  /** Whether the parameters may exist before the first deployment. */
  readonly takesOverParameters: boolean
  /** Whether the parameters stay when the resource is deleted. */
  readonly keepsParameters: boolean
  /** When the work on this request began. Undefined if it begins now. */
  readonly startedAt: number | undefined
}

/**
 * Reads the event of a custom resource, or the same event as this function sends it to itself to continue.
 * @throws {UnreadableEventError}
 */
export function readDeploymentRequest(event: unknown): DeploymentRequest {
  if (!isJsonObject(event)) throw new UnreadableEventError('it', 'must be an object.')
  const { RequestType: type, PhysicalResourceId: physicalId, OldResourceProperties: former, startedAt } = event
  if (type !== 'Create' && type !== 'Update' && type !== 'Delete')
    throw new UnreadableEventError('RequestType', 'must be Create, Update or Delete.')
  const properties = readObject(event, 'ResourceProperties')
  const text = (name: string) => readText(event, name)
  return {
    type,
    ids: { StackId: text('StackId'), RequestId: text('RequestId'), LogicalResourceId: text('LogicalResourceId') },
    responseUrl: text('ResponseURL'),
    physicalId: typeof physicalId === 'string' ? physicalId : undefined,
    elements: readPlace(properties),
    formerElements: type === 'Update' && isJsonObject(former) ? readPlace(former) : undefined,
    // CloudFormation turns all values into texts.
    takesOverParameters: String(properties['takesOverParameters']) === 'true',
    keepsParameters: String(properties['keepsParameters']) === 'true',
    startedAt: typeof startedAt === 'number' ? startedAt : undefined,
  }
}

function readPlace(properties: JsonObject): DeployedElements {
  return { bucket: readText(properties, 'bucket'), key: readText(properties, 'key') }
}

function readObject(from: JsonObject, name: string): JsonObject {
  const value = from[name]
  if (!isJsonObject(value)) throw new UnreadableEventError(name, 'must be an object.')
  return value
}

function readText(from: JsonObject, name: string): string {
  const value = from[name]
  if (typeof value !== 'string' || value === '') throw new UnreadableEventError(name, 'must be a text.')
  return value
}
