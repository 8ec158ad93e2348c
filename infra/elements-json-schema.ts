import { type ConversionConfig, toJsonSchema } from '@valibot/to-json-schema'
import { kinds } from '../lib/configuration/element.ts'
import { elementSchemas } from '../lib/configuration/element-schema.ts'
import { elementIdForm } from '../lib/configuration/value-syntax.ts'

/** A JSON Schema describes the shape alone. `npm run validate` also checks everything else. */
const conversion: ConversionConfig = {
  typeMode: 'input',
  errorMode: 'ignore',
  // The only custom schema is the one of a JSON object.
  overrideSchema: ({ valibotSchema, jsonSchema }) =>
    valibotSchema.type === 'custom' ? { type: 'object' } : jsonSchema,
}

/** The JSON Schema of an elements file `{ kind: { id: element } }`, made from the schemas that Tokenwell reads elements with. */
export function createElementsJsonSchema(): object {
  const definitions = kinds.map((kind) => {
    const { $schema: _, properties, ...schema } = toJsonSchema(elementSchemas[kind], conversion)
    return [kind, { ...schema, properties: { id: { type: 'string' }, ...properties } }] as const
  })
  const byId = (kind: string) => ({
    type: 'object',
    propertyNames: { pattern: elementIdForm.source },
    additionalProperties: { $ref: `#/definitions/${kind}` },
  })
  return {
    $schema: 'http://json-schema.org/draft-07/schema#',
    title: 'Configuration elements of Tokenwell',
    type: 'object',
    properties: { $schema: { type: 'string' }, ...Object.fromEntries(kinds.map((kind) => [kind, byId(kind)])) },
    additionalProperties: false,
    definitions: Object.fromEntries(definitions),
  }
}
