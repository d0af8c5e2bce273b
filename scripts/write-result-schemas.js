// Writes schemas/NAME.schema.json, a JSON Schema of what each command prints with --json: from the type that its class gives
// as its result, the comments in the types as descriptions. With --check: fails where one differs.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

import ts from 'typescript'

const root = fileURLToPath(new URL('..', import.meta.url))
const folder = `${root}schemas/`
const { config } = ts.readConfigFile(`${root}tsconfig.json`, ts.sys.readFile)
const { options } = ts.parseJsonConfigFileContent(config, ts.sys, root)
const files = readdirSync(`${root}src/commands`, { recursive: true }).filter((name) => name.endsWith('.ts')).map((name) => `${root}src/commands/${name}`)
const program = ts.createProgram(files, { ...options, noEmit: true, composite: false, incremental: false })
const checker = program.getTypeChecker()

const schemas = new Map([['error', document('an error before a result', errorSchema())]])
for (const file of files) {
  const { result, calledAs } = classIn(program.getSourceFile(file))
  if (result === null) continue
  const name = calledAs ?? commandOf(file)
  const schema = schemaOf(result)
  // What a class prints is of this command, whatever else the type may be used for.
  for (const variant of schema.anyOf ?? [schema]) if (variant.properties?.command !== undefined) variant.properties.command = { const: name }
  schemas.set(name.replaceAll(' ', '-'), document(`what stackbk ${name} --json prints`, schema))
}

const wanted = new Map([...schemas].map(([name, schema]) => [`${name}.schema.json`, `${JSON.stringify(schema, null, 2)}\n`]))
const stale = (existsSync(folder) ? readdirSync(folder) : []).filter((name) => !wanted.has(name))
const differing = [...wanted].filter(([name, text]) => !existsSync(folder + name) || readFileSync(folder + name, 'utf8') !== text).map(([name]) => name)
if (process.argv.includes('--check')) {
  for (const name of [...differing, ...stale]) process.stderr.write(`schemas/${name} is not what the types say: run node scripts/write-result-schemas.js and commit it\n`)
  if (differing.length + stale.length > 0) process.exitCode = 1
} else {
  mkdirSync(folder, { recursive: true })
  for (const name of stale) rmSync(folder + name)
  for (const name of differing) writeFileSync(folder + name, wanted.get(name))
}

function document(title, schema) {
  return { $schema: 'http://json-schema.org/draft-07/schema#', title, ...schema }
}

function errorSchema() {
  const text = { type: 'string' }
  const error = { type: 'object', properties: { code: text, message: text, fix: text, exitCode: { type: 'number' } }, required: ['code', 'message', 'fix', 'exitCode'] }
  const problem = { type: 'object', properties: { severity: { enum: ['error', 'warning'] }, code: text, message: text, fix: text, stack: text }, required: ['severity', 'code', 'message', 'fix'] }
  return { type: 'object', properties: { error, problems: { type: 'array', items: problem } }, required: ['error'] }
}

function commandOf(file) {
  const words = file.slice(`${root}src/commands/`.length, -'.ts'.length).split('/')
  return (words.at(-1) === 'index' ? words.slice(0, -1) : words).join(' ')
}

/** The T of `class X extends StackbkCommand<T>`, `null` for a command that prints no result; and the name that it calls itself by, if it is another. */
function classIn(source) {
  const node = source.statements.find(ts.isClassDeclaration)
  const calledAs = node?.members.find((member) => ts.isPropertyDeclaration(member) && member.name.getText() === 'calledAs')?.initializer?.text
  const [argument] = (node?.heritageClauses ?? []).flatMap(({ types }) => types).flatMap(({ typeArguments }) => typeArguments ?? [])
  const type = argument === undefined ? null : checker.getTypeFromTypeNode(argument)
  return { result: type !== null && type.flags & ts.TypeFlags.Never ? null : type, calledAs }
}

function schemaOf(type) {
  if (type.flags & (ts.TypeFlags.Any | ts.TypeFlags.Unknown)) return {}
  if (type.isUnion()) return unionOf(type.types)
  if (type.flags & ts.TypeFlags.Null) return { type: 'null' }
  if (type.isStringLiteral() || type.isNumberLiteral()) return { const: type.value }
  if (type.flags & ts.TypeFlags.BooleanLiteral) return { const: checker.typeToString(type) === 'true' }
  if (type.flags & ts.TypeFlags.StringLike) return { type: 'string' }
  if (type.flags & ts.TypeFlags.NumberLike) return { type: 'number' }
  if (type.flags & ts.TypeFlags.BooleanLike) return { type: 'boolean' }
  if (checker.isTupleType(type)) return { type: 'array', items: checker.getTypeArguments(type).map(schemaOf) }
  if (checker.isArrayType(type)) return { type: 'array', items: schemaOf(checker.getTypeArguments(type)[0]) }
  return objectOf(type)
}

function unionOf(types) {
  const defined = types.filter((type) => !(type.flags & ts.TypeFlags.Undefined))
  const booleans = defined.filter((type) => type.flags & ts.TypeFlags.BooleanLiteral)
  const isWhole = booleans.length === 2
  const schemas = [...defined.filter((type) => !isWhole || !booleans.includes(type)).map(schemaOf), ...(isWhole ? [{ type: 'boolean' }] : [])]
  const literals = schemas.filter((schema) => 'const' in schema)
  const others = schemas.filter((schema) => !('const' in schema))
  const all = [...(literals.length > 1 ? [{ enum: literals.map((schema) => schema.const) }] : literals), ...others]
  if (all.length === 1) return all[0]
  const isOneType = all.every((schema) => Object.keys(schema).join() === 'type')
  return isOneType ? { type: all.map((schema) => schema.type) } : { anyOf: all }
}

/** Keys may be added in later versions, so others than these are allowed. */
function objectOf(type) {
  const members = checker.getPropertiesOfType(type).filter((member) => checker.getTypeOfSymbol(member).getCallSignatures().length === 0)
  const properties = Object.fromEntries(
    members.map((member) => {
      const words = ts.displayPartsToString(member.getDocumentationComment(checker)).replace(/\s+/g, ' ').replaceAll(/\{@link (\S+?)\}/g, '$1')
      return [member.name, { ...(words === '' ? {} : { description: words }), ...schemaOf(checker.getTypeOfSymbol(member)) }]
    }),
  )
  const index = checker.getIndexInfoOfType(type, ts.IndexKind.String)
  return {
    type: 'object',
    ...(members.length === 0 ? {} : { properties, required: members.filter((member) => !(member.flags & ts.SymbolFlags.Optional)).map((member) => member.name) }),
    ...(index === undefined ? {} : { additionalProperties: schemaOf(index.type) }),
  }
}
