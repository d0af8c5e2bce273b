// Writes packages/contract/schema/capsule.schema.json from the types in packages/contract/src, their comments as descriptions,
// so that the two never differ. With --check: fails when the file differs.
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

import ts from 'typescript'

const contract = fileURLToPath(new URL('../packages/contract/', import.meta.url))
const file = `${contract}schema/capsule.schema.json`

const interfaces = new Map(['capsule', 'container-end'].flatMap(interfacesOf))
const { Capsule: root, ...others } = Object.fromEntries([...interfaces].map(([name, declaration]) => [name, { ...described(declaration), ...objectOf(declaration.members) }]))
const schema = {
  $schema: 'http://json-schema.org/draft-07/schema#',
  title: 'stackbk-capsule.json',
  ...root,
  definitions: others,
}
const text = `${JSON.stringify(schema, null, 2)}\n`

if (process.argv.includes('--check')) {
  if (readFileSync(file, 'utf8') !== text) {
    console.error('packages/contract/schema/capsule.schema.json is not what its types say: run node scripts/write-schema.js')
    process.exitCode = 1
  }
} else {
  writeFileSync(file, text)
}

function interfacesOf(name) {
  const source = ts.createSourceFile(`${name}.ts`, readFileSync(`${contract}src/${name}.ts`, 'utf8'), ts.ScriptTarget.Latest, true)
  return source.statements.filter(ts.isInterfaceDeclaration).map((declaration) => [declaration.name.text, declaration])
}

function described(node) {
  const [comment] = ts.getJSDocCommentsAndTags(node)
  const words = comment === undefined ? undefined : ts.getTextOfJSDocComment(comment.comment)
  return words === undefined ? {} : { description: words.replace(/\s+/g, ' ') }
}

/** Keys may be added in later versions, so others than these are allowed. */
function objectOf(members) {
  return {
    type: 'object',
    required: members.filter((member) => member.questionToken === undefined).map((member) => member.name.text),
    properties: Object.fromEntries(members.map((member) => [member.name.text, { ...described(member), ...schemaOf(member.type) }])),
  }
}

function schemaOf(type) {
  if (ts.isTypeOperatorNode(type)) return schemaOf(type.type)
  if (ts.isArrayTypeNode(type)) return { type: 'array', items: schemaOf(type.elementType) }
  if (ts.isTypeLiteralNode(type)) return objectOf(type.members)
  if (ts.isUnionTypeNode(type)) return unionOf(type.types)
  if (ts.isLiteralTypeNode(type)) return { const: literalOf(type) }
  if (ts.isTypeReferenceNode(type)) return referenceOf(type)
  switch (type.kind) {
    case ts.SyntaxKind.StringKeyword:
      return { type: 'string' }
    case ts.SyntaxKind.NumberKeyword:
      return { type: 'number' }
    case ts.SyntaxKind.BooleanKeyword:
      return { type: 'boolean' }
    case ts.SyntaxKind.UnknownKeyword:
      return {}
    default:
      throw new Error(`scripts/write-schema.js does not know the type ${type.getText()}`)
  }
}

function literalOf(type) {
  if (type.literal.kind === ts.SyntaxKind.NullKeyword) return null
  return ts.isNumericLiteral(type.literal) ? Number(type.literal.text) : type.literal.text
}

function unionOf(types) {
  if (types.every(ts.isLiteralTypeNode)) return { enum: types.map(literalOf) }
  return { anyOf: types.map((type) => (ts.isLiteralTypeNode(type) && literalOf(type) === null ? { type: 'null' } : schemaOf(type))) }
}

function referenceOf(type) {
  const name = type.typeName.text
  if (name === 'Readonly') return schemaOf(type.typeArguments[0])
  if (name === 'Record') return { type: 'object', additionalProperties: schemaOf(type.typeArguments[1]) }
  if (!interfaces.has(name)) throw new Error(`scripts/write-schema.js does not know the type ${name}`)
  return { $ref: `#/definitions/${name}` }
}
