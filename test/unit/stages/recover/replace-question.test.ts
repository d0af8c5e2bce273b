import { expect, it } from 'vitest'

import { replaceQuestion, type ReplacingPlan } from '../../../../src/stages/recover/replace-question.js'
import { at, container, snapshotOf, stateOf, write } from '../fixtures.js'

const time = '2026-01-02T03:04:05.000Z'
const plan = (more: Partial<ReplacingPlan> = {}): ReplacingPlan => ({ name: 'web', snapshot: snapshotOf('0123456789abcdef', { time }), relocations: [], part: null, present: ['the folder /srv/web', 'the volume data'], state: stateOf([container('app')]), ...more })

it('names what of whole stacks is replaced', () => {
  expect(replaceQuestion([plan(), plan({ name: 'shop', present: ['the folder /srv/shop'] })], { overwrite: false, service: undefined }))
    .toBe(`Replace web with its snapshot 01234567 of ${time}: the folder /srv/web, the volume data; shop with its snapshot 01234567 of ${time}: the folder /srv/shop?`)
  expect(replaceQuestion([plan()], { overwrite: true, service: undefined })).toMatch(/^Overwrite web with/)
})

it('names the path alone where only a path is replaced, and what is stopped meanwhile', () => {
  const path = write('web/data/index.html')
  const part = plan({ part: { paths: [path], bytes: 1, files: 1 }, present: [path] })
  expect(replaceQuestion([part], { overwrite: false, service: undefined })).toBe(`Replace only ${path} of web from its snapshot 01234567 of ${time}? Meanwhile app is stopped.`)
  expect(replaceQuestion([{ ...part, state: null }], { overwrite: false, service: undefined })).toBe(`Replace only ${path} of web from its snapshot 01234567 of ${time}?`)
})

it('does not speak of replacing a path that is not there', () => {
  const part = plan({ part: { paths: [at('web/gone')], bytes: 1, files: 1 } })
  expect(replaceQuestion([part], { overwrite: false, service: undefined })).toMatch(/^Bring back only .*gone of web/)
})

it('names the service where only its data is replaced, in the folder to which the stack moves', () => {
  write('new/data/file')
  const part = plan({ part: { paths: ['/old/data'], bytes: 1, files: 1 }, relocations: [{ from: '/old', to: at('new') }] })
  expect(replaceQuestion([part], { overwrite: false, service: 'app' })).toBe(`Replace only the data of the service app of web (${at('new/data')}) from its snapshot 01234567 of ${time}? Meanwhile app is stopped.`)
})
