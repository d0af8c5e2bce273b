import { describe, expect, expectTypeOf, it } from 'vitest'

import { defineNotifier, defineSettings, defineTransport, resultOf, type Notifier, type Secret, type SettingDeclaration, type SettingValue, type SettingValues, type Transport, type TypedValues } from '../src/index.js'

const settings = defineSettings([
  { section: 'plugin:shelf', key: 'FOLDER', type: 'path', required: true, help: 'folder' },
  { section: 'plugin:shelf', key: 'PORT', type: 'integer', default: 22, help: 'port' },
  { section: 'plugin:shelf', key: 'LIMIT', type: 'duration', help: 'limit' },
  { section: 'plugin:shelf', key: 'MODE', type: 'choice', choices: ['slow', 'fast'], default: 'slow', help: 'mode' },
  { section: 'plugin:shelf', key: 'TOKEN', type: 'string', secret: true, help: 'token' },
  { section: 'plugin:shelf', key: 'NAMES', type: 'list', default: [], help: 'names' },
  { section: 'plugin:shelf', key: 'STRICT', type: 'boolean', default: false, help: 'strict' },
])

describe('the values of declared keys', () => {
  it('have the types that the declarations say', () => {
    type Values = TypedValues<typeof settings>
    expectTypeOf<Values['FOLDER']>().toEqualTypeOf<string | null>()
    expectTypeOf<Values['PORT']>().toEqualTypeOf<number>()
    expectTypeOf<Values['LIMIT']>().toEqualTypeOf<number | null>()
    expectTypeOf<Values['MODE']>().toEqualTypeOf<'slow' | 'fast'>()
    expectTypeOf<Values['TOKEN']>().toEqualTypeOf<Secret | null>()
    expectTypeOf<Values['NAMES']>().toEqualTypeOf<readonly string[]>()
    expectTypeOf<Values['STRICT']>().toEqualTypeOf<boolean>()
    expectTypeOf<Values['URL']>().toEqualTypeOf<SettingValue>()
  })

  it('are any values where the declarations are not known to the compiler, as in a plugin of before', () => {
    expectTypeOf<TypedValues<readonly SettingDeclaration[]>>().toEqualTypeOf<SettingValues>()
    const declared: SettingDeclaration[] = []
    const transport = {} as Transport
    const old = defineTransport({ id: 'old', title: 'old', settings: declared, create: async (values: SettingValues) => (expect(values['FOLDER']).toBe(1), transport) })
    expect(old).toMatchObject({ kind: 'transport', id: 'old', apiVersion: 1 })
  })

  it('reach create() as they are', async () => {
    const descriptor = defineNotifier({ id: 'shelf', title: 'a shelf', settings, create: async (values) => ({ port: values.PORT + 1 }) as unknown as Notifier })
    expect(await descriptor.create({ PORT: 1 }, {} as never)).toEqual({ port: 2 })
  })
})

describe('the result of an event', () => {
  it('is there with its types, and without keys where the event has none', () => {
    expect(resultOf({ result: { status: 'ok', stacks: [{ name: 'blog', status: 'ok' }] } }).stacks?.[0]?.name).toBe('blog')
    for (const result of [undefined, null, 'text', 5, []]) expect(resultOf({ result })).toEqual({})
    expect(resultOf({})).toEqual({})
  })
})
