import fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { setEntry } from '../../../src/config/ini-edit.js'
import { parseIni, writeValue } from '../../../src/config/ini-file.js'

const entry = { section: 'cloud_sync', key: 'RCLONE_CONFIG', value: '/a b' }

describe('setting one key in a configuration', () => {
  it.each([
    ['[cloud_sync]\nrclone_config = old # note\nX=1\n', '[cloud_sync]\nRCLONE_CONFIG=/a b # note\nX=1\n'],
    ['# head\n[cloud_sync]\nX=1\n\n# about docker\n[docker]\nY=2\n', '# head\n[cloud_sync]\nX=1\nRCLONE_CONFIG=/a b\n\n# about docker\n[docker]\nY=2\n'],
    ['[docker]\nX=1', '[docker]\nX=1\n\n[cloud_sync]\nRCLONE_CONFIG=/a b\n'],
    ['[cloud_sync]', '[cloud_sync]\nRCLONE_CONFIG=/a b'],
    ['', '[cloud_sync]\nRCLONE_CONFIG=/a b\n'],
    ['A=1\n', 'A=1\nRCLONE_CONFIG=/a b\n'],
    ['[cloud_sync]\r\nX=1\r\nY=2\r\n', '[cloud_sync]\r\nX=1\r\nY=2\r\nRCLONE_CONFIG=/a b\r\n'],
  ])('changes %j as little as possible', (before, after) => {
    expect(setEntry(before, entry)).toBe(after)
  })

  it('leaves all other lines as they were, and reads back', () => {
    const line = fc.oneof(fc.constantFrom('[docker]', '[cloud_sync]', '[Cloud_Sync] # c', '# c', '', 'X=1', 'rclone_config="o" ; c', 'what'), fc.string({ maxLength: 12 }))
    const value = fc.string({ unit: 'grapheme', maxLength: 20 })
    fc.assert(
      fc.property(fc.array(line, { maxLength: 10 }), value, (lines, wanted) => {
        fc.pre(!/[\r\n\0]/.test(wanted))
        const before = lines.join('\n')
        const after = setEntry(before, { ...entry, value: wanted })
        const given = parseIni(after).entries.findLast(({ key, section }) => key === 'RCLONE_CONFIG' && (section === 'cloud_sync' || section === ''))
        expect(given?.value).toBe(wanted)
        const rest = after.split('\n').filter((text) => !text.startsWith(`RCLONE_CONFIG=${writeValue(wanted)}`))
        const left = rest.filter((text) => text !== '')
        const original = before.split('\n').filter((text) => text !== '')
        for (const text of left) if (text !== '[cloud_sync]') expect(original).toContain(text)
      }),
    )
  })
})
