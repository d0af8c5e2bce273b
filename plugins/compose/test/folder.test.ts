import { mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { expect, onTestFinished, test } from 'vitest'

import { hasComposeFile, projectOfFolder } from '../src/folder.js'

async function nameOf(files: Readonly<Record<string, string>>, environment: Readonly<Record<string, string>> = {}): Promise<string | undefined> {
  const parent = await mkdtemp(join(await realpath(tmpdir()), 'stackbk-folder-'))
  onTestFinished(() => rm(parent, { recursive: true, force: true }))
  await mkdir(join(parent, 'Web.App'))
  for (const [name, content] of Object.entries(files)) await writeFile(join(parent, 'Web.App', name), content)
  return (await projectOfFolder(join(parent, 'Web.App'), environment))?.name
}

test('the name of a project without containers is that of its file, its variables from the environment that Compose sees and from .env', async () => {
  expect(await nameOf({ 'compose.yaml': 'services: {}\n' })).toBe('webapp')
  expect(await nameOf({ 'compose.yaml': 'name: ${APP}-x\n', '.env': "APP='shop' # a comment\n" })).toBe('shop-x')
  expect(await nameOf({ 'compose.yaml': 'name: ${APP:-none}-x\n', '.env': 'APP=\n' })).toBe('none-x')
  expect(await nameOf({ 'compose.yaml': 'name: $APP\n', '.env': 'APP=shop\n' }, { APP: 'outer' })).toBe('outer')
  expect(await nameOf({ 'compose.yaml': 'name: x${APP:+-set}\n', '.env': 'export APP: yes\n' })).toBe('x-set')
})

test('a project whose first compose file lies in another folder is made there, with the environment files of both', async () => {
  const parent = await mkdtemp(join(await realpath(tmpdir()), 'stackbk-folder-'))
  onTestFinished(() => rm(parent, { recursive: true, force: true }))
  for (const name of ['common', 'web']) await mkdir(join(parent, name))
  await writeFile(join(parent, 'common', 'base.yaml'), 'services: {}\n')
  await writeFile(join(parent, 'web', '.env'), 'COMPOSE_FILE=../common/base.yaml:compose.yaml\n')
  const expected = { name: 'common', workingDirectory: join(parent, 'common'), configFiles: [join(parent, 'common', 'base.yaml'), join(parent, 'web', 'compose.yaml')] }
  expect(await projectOfFolder(join(parent, 'web'), {})).toMatchObject({ ...expected, environmentFiles: [join(parent, 'web', '.env')] })
  await writeFile(join(parent, 'common', '.env'), 'COMPOSE_PROJECT_NAME=shop\n')
  expect(await projectOfFolder(join(parent, 'web'), {})).toMatchObject({ ...expected, name: 'shop', environmentFiles: [join(parent, 'common', '.env'), join(parent, 'web', '.env')] })
})

test('no other variable of our own is filled in', async () => {
  process.env['STACKBK_TEST_NAME'] = 'ours'
  onTestFinished(() => void delete process.env['STACKBK_TEST_NAME'])
  expect(await nameOf({ 'compose.yaml': 'name: ${STACKBK_TEST_NAME:-theirs}\n' })).toBe('theirs')
})

test('a folder has a compose file by one of the usual names, or by the one that its environment file names', async () => {
  const has = async (files: Readonly<Record<string, string>>): Promise<boolean> => {
    const folder = await mkdtemp(join(await realpath(tmpdir()), 'stackbk-folder-'))
    onTestFinished(() => rm(folder, { recursive: true, force: true }))
    for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), content)
    return hasComposeFile(folder)
  }
  expect(await has({ 'docker-compose.yml': '' })).toBe(true)
  expect(await has({ 'prod.yaml': '' })).toBe(false)
  expect(await has({ 'prod.yaml': '', '.env': 'COMPOSE_FILE="prod.yaml:more.yaml"\n' })).toBe(true)
  expect(await has({ 'prod.yaml': '', '.env': 'COMPOSE_FILE=gone.yaml\n' })).toBe(false)
})
