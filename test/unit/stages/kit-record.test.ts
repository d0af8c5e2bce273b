import { expect, test } from 'vitest'

import { hasChanged, kitRecord, rememberKit } from '../../../src/stages/kit/record.js'
import { at } from './fixtures.js'

const contents = (content: string, lasting?: string): Parameters<typeof hasChanged>[1] => ({ files: [{ name: 'rclone.conf', content: Buffer.from(content), ...(lasting === undefined ? {} : { lasting: Buffer.from(lasting) }) }], placed: [] })

test('a kit is outdated by what lasts of a file alone, and by all of one that does not change by itself', () => {
  rememberKit(at('kit.json'), { at: new Date(), file: '/media/kit.age', contents: contents('access one, refresh a', 'refresh a') })
  const record = kitRecord(at('kit.json'))!
  expect([hasChanged(record, contents('access two, refresh a', 'refresh a')), hasChanged(record, contents('access two, refresh b', 'refresh b'))]).toEqual([false, true])
  rememberKit(at('kit.json'), { at: new Date(), file: '/media/kit.age', contents: contents('one') })
  const whole = kitRecord(at('kit.json'))!
  expect([hasChanged(whole, contents('one')), hasChanged(whole, contents('two'))]).toEqual([false, true])
})
