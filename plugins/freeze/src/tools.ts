import { answered, failed, type Answer, type Exec, type Failure } from '@stackbk/contract'

export interface ToolCall {
  readonly file: string
  readonly args: readonly string[]
  /** Such as `making a snapshot of /data`. */
  readonly what: string
  readonly signal?: AbortSignal | undefined
  readonly timeoutMs?: number
}

/** For what only asks and has to be quick: a dead disk must not hold up a night's run. */
export const questionLimitMs = 30_000

/** Runs the tools of the base system; the answer is what they wrote to standard output. */
export interface Tools {
  run(call: ToolCall): Promise<Answer<string>>
}

export function createTools(exec: Exec): Tools {
  return {
    async run({ file, args, what, signal, timeoutMs }) {
      const result = await exec.run({
        file,
        args,
        // cron's search path lacks the folders of the administrator's tools; the words are matched, so they must not be translated.
        env: { PATH: `${process.env['PATH'] ?? '/usr/bin:/bin'}:/usr/sbin:/sbin`, LC_ALL: 'C' },
        ...(signal === undefined ? {} : { signal }),
        ...(timeoutMs === undefined ? {} : { timeoutMs }),
      })
      if (result.outcome === 'exited' && result.exitCode === 0) return answered(result.stdout)
      const failure = { message: `${what} failed`, toolOutput: lastWords(result.stderr) }
      switch (result.outcome) {
        case 'not-started':
          return failed({ kind: 'tool-missing', message: `${what} failed: ${result.startError ?? `${file} cannot be started`}`, fix: `Install ${file}` })
        case 'cancelled':
          return failed({ ...failure, kind: 'cancelled', message: `${what} was cancelled` })
        case 'timed-out':
        case 'stalled':
          return failed({ ...failure, kind: 'timed-out', message: `${what} took too long` })
        case 'exited':
          return failed({ ...failure, kind: 'failed', ...fixFor(failure.toolOutput) })
      }
    },
  }
}

const mostLines = 5

function lastWords(stderr: string): string {
  return stderr.trimEnd().split('\n').slice(-mostLines).join('\n')
}

function fixFor(words: string): Pick<Failure, 'fix'> {
  return /no space left|disk quota/i.test(words) ? { fix: 'Make room on that file system' } : {}
}
