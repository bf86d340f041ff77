// Writes the types of the HTTP API from docs/openapi.json to standard output.

import { readFileSync } from 'node:fs';

const { components, paths } = JSON.parse(readFileSync(new URL('../../../docs/openapi.json', import.meta.url), 'utf8'));

/** Keywords of JSON Schema that this program turns into types, or that say nothing about a type. */
const KNOWN = new Set(
  [
    '$ref enum oneOf allOf type items properties required additionalProperties',
    'description format minimum maximum minLength maxLength maxItems pattern propertyNames',
  ].flatMap((keywords) => keywords.split(' ')),
);

function typeOf(schema) {
  const unknown = Object.keys(schema).filter((keyword) => !KNOWN.has(keyword) && !keyword.startsWith('x-'));
  if (unknown.length > 0) throw new Error(`unknown keywords of JSON Schema: ${unknown}`);
  if (schema.$ref) return schema.$ref.split('/').at(-1);
  if (schema.enum) return schema.enum.map((value) => `'${value}'`).join(' | ');
  if (schema.oneOf) return schema.oneOf.map(typeOf).join(' | ');
  if (schema.allOf) return schema.allOf.map((part) => `(${typeOf(part)})`).join(' & ');
  return [schema.type]
    .flat()
    .map((type) => simpleType(type, schema))
    .join(' | ');
}

function simpleType(type, schema) {
  switch (type) {
    case 'string':
    case 'boolean':
    case 'null':
      return type;
    case 'integer':
      return 'number';
    case 'array':
      return `Array<${typeOf(schema.items)}>`;
    case 'object':
      if (schema.properties) return fields(schema);
      return `Record<string, ${schema.additionalProperties ? typeOf(schema.additionalProperties) : 'never'}>`;
    default:
      throw new Error(`no type for ${JSON.stringify(schema)}`);
  }
}

function fields({ properties, required = [] }) {
  const lines = Object.entries(properties).map(([name, schema]) => {
    return `${comment(descriptionOf(schema))}${name}${required.includes(name) ? '' : '?'}: ${typeOf(schema)};`;
  });
  return `{\n${lines.join('\n')}\n}`;
}

/** A union with null has its description inside. */
const descriptionOf = ({ description, oneOf }) => description ?? oneOf?.find((part) => part.description)?.description;

const comment = (text) => (text ? `/** ${text.replaceAll('\n', ' ')} */\n` : '');

const operations = Object.entries(paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ path, method: method.toUpperCase(), ...operation })),
);

const parametersOf = ({ parameters = [] }, place) => parameters.filter((parameter) => parameter.in === place);

function parameterType(operation, place) {
  const parameters = parametersOf(operation, place);
  // A path takes ids with either type.
  const type = ({ schema }) => (place === 'path' && typeOf(schema) === 'string' ? 'string | number' : typeOf(schema));
  const lines = parameters.map((parameter) => {
    const types = [type(parameter), ...(parameter.required ? [] : ['null', 'undefined'])];
    const names = [...new Set(types.flatMap((names) => names.split(' | ')))].join(' | ');
    return `${comment(parameter.description)}'${parameter.name}'${parameter.required ? '' : '?'}: ${names};`;
  });
  return parameters.length > 0 ? `{\n${lines.join('\n')}\n}` : '{}';
}

const contentOf = (part) => Object.entries(part?.content ?? {})[0] ?? [];

function operationType(operation) {
  const [, body] = contentOf(operation.requestBody);
  const results = Object.entries(operation.responses)
    .filter(([status]) => Number(status) < 300)
    .map(([, response]) => contentOf(response)[1]?.schema)
    .map((schema) => (schema ? typeOf(schema) : 'undefined'));
  return `${comment(operation.summary)}${operation.operationId}: {
    path: ${parameterType(operation, 'path')};
    query: ${parameterType(operation, 'query')};
    headers: ${parameterType(operation, 'header')};
    body: ${body ? typeOf(body.schema) : 'undefined'};
    result: ${[...new Set(results)].join(' | ')};
  };`;
}

function operationEntry({ operationId, method, path, requestBody }) {
  const [type = null] = contentOf(requestBody);
  return `${operationId}: ${JSON.stringify({ method, path, type })},`;
}

const schemas = Object.entries(components.schemas).map(([name, schema]) => {
  return `${comment(schema.description)}export type ${name} = ${typeOf(schema)};`;
});

/** Indents by the braces, so that the file can be read. */
function indent(text) {
  let depth = 0;
  return text
    .split('\n')
    .map((line) => {
      const trimmed = line.trim();
      if (trimmed.startsWith('}')) depth -= 1;
      const indented = trimmed && `${'  '.repeat(depth)}${trimmed}`;
      if (trimmed.endsWith('{')) depth += 1;
      return indented;
    })
    .join('\n');
}

process.stdout.write(
  indent(`// Generated from docs/openapi.json by \`npm run generate\`.

${schemas.join('\n\n')}

/** What each operation takes and returns. */
export interface Operations {
${operations.map(operationType).join('\n')}
}

/** The request of each operation. \`type\` is the media type of the body. */
export const OPERATIONS = {
${operations.map(operationEntry).join('\n')}
} as const satisfies Record<keyof Operations, { method: string; path: string; type: string | null }>;
`),
);
