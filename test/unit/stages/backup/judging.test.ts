import { expect, it } from 'vitest'

import { emptyDraft } from '../../../../src/stages/backup/backup-result.js'
import { judgeQuiet } from '../../../../src/stages/backup/judging.js'
import { ok, stackAt } from '../fixtures.js'

it('a snapshot that is live because of too many folders names the setting that limits them, and any other does not', () => {
  const fixOf = (doubt: string): string | undefined => {
    const draft = { ...emptyDraft(stackAt()), snapshot: {} as never }
    judgeQuiet(draft, { stop: ok([]), disturbedBy: [], couldNotWatch: false }, { writers: ['manager'], changed: [], doubt })
    expect(draft).toMatchObject({ status: 'partial', quiet: false, problems: [{ code: 'not-quiet', message: expect.stringContaining(doubt) as string }] })
    return draft.problems[0]?.fix
  }
  expect(fixOf('it has more than 2048 folders, too many to watch for changes with the present fs.inotify.max_user_watches')).toMatch(/^Raise fs\.inotify\.max_user_watches: .*sysctl --system\. Or: .*IGNORE_WRITERS/)
  expect(fixOf('a folder came late')).toMatch(/^Back it up while that is stopped/)
})
