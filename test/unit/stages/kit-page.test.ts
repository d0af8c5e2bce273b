import { expect, it } from 'vitest'

import { kitPage, type PageRequest } from '../../../src/stages/kit/page.js'

const request: PageRequest = {
  manifest: { schemaVersion: 1, createdAt: '2026-01-01T00:00:00.000Z', host: 'host', repositoryId: 'abc', repository: '/repo', remote: 'sftp:there' },
  kit: 'kit.age', names: [], placed: [], localRoot: '/repo', version: '1.0.0', program: null, plugins: [], fetch: [], extract: [],
}

it('the page of a kit says how each plugin of somebody else is installed, and leaves room for where it is kept', () => {
  const page = kitPage({ ...request, plugins: ['stackbk-plugin-sftp 1.2.0', 'stackbk-plugin-matrix 2.0.0'] })
  expect(page).toContain('Needed too, these plugins: stackbk-plugin-sftp 1.2.0, stackbk-plugin-matrix 2.0.0. They are not in this kit.')
  expect(page.match(/^The plugin (.*), from its tarball\. Write down where a copy of it is kept:\n\n {2}_+\n\n {2}stackbk plugins install file:\/PATH\/TO\/ITS\/TARBALL\.tgz$/gm)).toHaveLength(2)
  expect(kitPage(request)).not.toContain('plugins install')
})
