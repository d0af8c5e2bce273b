import { describe, expect, it } from 'vitest'

import { FramePainter } from '../../../src/ui/frame-painter.js'

const up = (text: string): number => Number(/\[(\d+)A/.exec(text)?.[1] ?? 0)

describe('a frame painted over the one before', () => {
  it('begins where that one began, and nothing of a longer one is left below', () => {
    const painter = new FramePainter()
    expect(up(painter.paint({ rows: ['a', 'b', 'c'] }, 80))).toBe(0)
    const second = painter.paint({ rows: ['x'] }, 80)
    expect(up(second)).toBe(2)
    expect(second).toContain('x\u001b[K\u001b[J')
    expect(up(painter.erase(80))).toBe(0)
  })

  it('counts the lines that a terminal which became narrower has made of a row', () => {
    const painter = new FramePainter()
    painter.paint({ rows: ['x'.repeat(70), 'y'.repeat(30), 'z'] }, 80)
    expect(up(painter.paint({ rows: ['x'] }, 35))).toBe(3)
  })

  it('finds its cursor again in the row that it was put in', () => {
    const painter = new FramePainter()
    expect(painter.paint({ rows: ['title', 'text', 'keys'], cursor: { row: 1, column: 4 } }, 80)).toContain('\u001b[1A\u001b[4C')
    expect(up(painter.erase(80))).toBe(1)
  })
})
