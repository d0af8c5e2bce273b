import { describe, expect, test } from 'vitest'

import { documentsOf } from '../src/model-files.js'
import { readPlainly } from '../src/plain-compose-file.js'

describe('a compose file that is read without Compose', () => {
  test('has its environment files and its top-level keys', () => {
    const content = `---
# include: a comment
name: web
services:
  web:
    image: "x:1" # a comment
    env_file: .env
    volumes:
      - data:/data
  db:
    env_file:
      - ./db.env
      # a comment
      - "other.env"
    label_file: [a.labels, 'b.labels']
  last:
    env_file:
    - same-depth.env
    image: y

volumes:
  data:
    driver: local
  "quoted":
  # a comment
  external.one: {external: true}
secrets: {}
x-other: &anchor
  a: b
`
    expect(readPlainly(content.replace('secrets: {}\n', 'secrets: [a]\n'))).toBeNull()
    expect(readPlainly(content.replace('secrets: {}\n', 'secrets:\n  token:\n    file: ./t\n'))).toEqual({
      namedFiles: ['.env', './db.env', 'other.env', 'a.labels', 'b.labels', 'same-depth.env'],
      keys: { volumes: ['data', 'quoted', 'external.one'], secrets: ['token'], configs: [] },
    })
  })

  test.each([
    ['includes another', 'include:\n  - other.yaml\nservices: {}\n'],
    ['extends another', 'services:\n  a:\n    extends:\n      file: base.yaml\n'],
    ['has several documents', 'services: {}\n---\nvolumes:\n  a:\n'],
    ['is JSON', '{"services": {}, "volumes": {"a": {}}}'],
    ['has a section in flow style over several lines', 'services:\n  a:\n    image: x\nvolumes: {\n  a: {}}\n'],
    ['has a service in flow style', 'services:\n  a: {image: x, env_file: b.env}\n'],
    ['has a variable in a path', 'services:\n  a:\n    env_file: ${DIR}/b.env\n'],
    ['has a path that is optional', 'services:\n  a:\n    env_file:\n      - path: b.env\n        required: false\n'],
    ['refers to an anchor', 'services:\n  a:\n    env_file: *files\n'],
    ['merges keys', 'volumes:\n  <<: *shared\n  a:\n'],
    ['has quoted top-level keys', '"volumes":\n  a:\n'],
    ['is empty', '# nothing\n'],
  ])('is none that %s', (_what, content) => {
    expect(readPlainly(content)).toBeNull()
  })

  test('may have Windows line ends and a byte order mark', () => {
    expect(readPlainly('\uFEFFservices:\r\n  a:\r\n    env_file: b.env\r\nvolumes:\r\n  c:\r\n')).toEqual({ namedFiles: ['b.env'], keys: { volumes: ['c'], secrets: [], configs: [] } })
  })
})

test('documents are told apart by their markers, and may begin on the line of one', () => {
  expect(documentsOf('a: 1\n---\n# only a comment\n--- {b: 2}\n...\n---\nc: 3\n  --- d\n')).toEqual([['a: 1'], ['{b: 2}'], ['c: 3', '  --- d', '']])
  expect(documentsOf('%YAML 1.2\n---\na: 1\n')).toEqual([['a: 1', '']])
})
