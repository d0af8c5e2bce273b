import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs'

import { Secret, type ToolRequest, type ToolResult } from '@stackbk/contract'
import { describe, expect, it } from 'vitest'

import { createExec } from '../src/exec.js'
import { readProcess } from '../src/process-table.js'
import { at, node, script, until } from './fixtures.js'

const exec = createExec()
const hangLimit = { timeoutMs: 15_000 }

describe('a tool that ends by itself', () => {
  it.each([0, 1, 7, 125, 255])('gives its exit code %i', async (code) => {
    expect(await exec.run(script('exit "$1"', String(code)))).toMatchObject({ outcome: 'exited', exitCode: code, endedBySignal: null, wasKilled: false, startError: null })
  })

  it('gives the signal that ended it, and then no exit code', async () => {
    expect(await exec.run(script('kill -KILL $$'))).toMatchObject({ outcome: 'exited', exitCode: null, endedBySignal: 'SIGKILL', wasKilled: false })
  })

  it('gives its two streams apart, without the last end of line', async () => {
    expect(await exec.run(script('echo out; echo err >&2; echo out2'))).toMatchObject({ stdout: 'out\nout2', stderr: 'err' })
  })

  it('gets its arguments as they are: there is no shell to read them', async () => {
    const words = ['a b', '$HOME', "it's", '"x"', '', '*', '; exit 3', '--', 'ü']
    const result = await exec.run(node('console.log(JSON.stringify(process.argv.slice(1)))', '--', ...words))
    expect(JSON.parse(result.stdout)).toEqual(words)
  })

  it('gets our environment with the changes asked for', async () => {
    process.env['ENVIRONMENT_OF_TOOL_INHERITED'] = 'kept'
    process.env['ENVIRONMENT_OF_TOOL_REMOVED'] = 'here'
    try {
      const marked = createExec({ environment: { ENVIRONMENT_OF_TOOL_MARK: 'mark' } })
      const request = { ...script('env | grep ^ENVIRONMENT_OF_TOOL_ | sort'), env: { ENVIRONMENT_OF_TOOL_REMOVED: undefined, ENVIRONMENT_OF_TOOL_OWN: 'own' } }
      expect((await marked.run(request)).stdout.split('\n')).toEqual(['ENVIRONMENT_OF_TOOL_INHERITED=kept', 'ENVIRONMENT_OF_TOOL_MARK=mark', 'ENVIRONMENT_OF_TOOL_OWN=own'])
    } finally {
      delete process.env['ENVIRONMENT_OF_TOOL_INHERITED']
      delete process.env['ENVIRONMENT_OF_TOOL_REMOVED']
    }
  })

  it('has its errors, and not its output, pass through what the caller hides', async () => {
    const heard: string[] = []
    const hideIn = (line: string): string => {
      if (line === 'odd') throw new Error('cannot look at it')
      return line.replace('word', '****')
    }
    const result = await exec.run({ ...script('echo word; echo a word >&2; echo odd >&2'), hideIn, onStderrLine: (line) => heard.push(line) })
    expect(result).toMatchObject({ stdout: 'word', stderr: 'a ****\n(a line that could not be redacted)' })
    expect(heard).toEqual(['a ****', '(a line that could not be redacted)'])
  })

  it('runs in the folder asked for', async () => {
    expect((await exec.run({ ...script('pwd -P'), cwd: at('') })).stdout).toBe(at('').replace(/\/$/, ''))
  })

  it('meets the end of standard input at once where none is given', async () => {
    expect(await exec.run({ file: 'cat', args: [], ...hangLimit })).toMatchObject({ outcome: 'exited', exitCode: 0, stdout: '' })
  })

  it('gets its input, and one that does not read it ends well all the same', async () => {
    expect(await exec.run({ file: 'cat', args: [], input: 'one\ntwo', ...hangLimit })).toMatchObject({ exitCode: 0, stdout: 'one\ntwo' })
    expect(await exec.run({ file: 'true', args: [], input: 'x'.repeat(4 * 1024 * 1024), ...hangLimit })).toMatchObject({ outcome: 'exited', exitCode: 0 })
  })

  it('is told of right before its start, at its start and at its end', async () => {
    const told: string[] = []
    const telling = createExec({
      onStarting: (request) => told.push(`starting ${request.file}`),
      onStart: (process, request) => told.push(`started ${String(process.pid)} ${request.file}`),
      onEnd: (process, _request, result) => told.push(`ended ${String(process.pid)} ${String(result.exitCode)}`),
    })
    const tool = telling.start(script('exit 3'))
    await tool.result
    expect(told).toEqual(['starting sh', `started ${String(tool.process?.pid)} sh`, `ended ${String(tool.process?.pid)} 3`])
  })

  it('says how long it took', async () => {
    const { durationMs } = await exec.run(script('sleep 0.2'))
    expect(durationMs).toBeGreaterThanOrEqual(190)
    expect(durationMs).toBeLessThan(10_000)
  })
})

describe('the output of a tool', () => {
  it('comes line by line while the tool is at work', async () => {
    const lines: string[] = []
    const result = await exec.run({
      ...script('echo first; until [ -e "$1" ]; do sleep 0.01; done; echo second >&2; until [ -e "$2" ]; do sleep 0.01; done', at('one'), at('two')),
      ...hangLimit,
      onStdoutLine: (line) => {
        lines.push(line)
        writeFileSync(at('one'), '')
      },
      onStderrLine: (line) => {
        lines.push(line)
        writeFileSync(at('two'), '')
      },
    })
    expect(result.outcome).toBe('exited')
    expect(lines).toEqual(['first', 'second'])
  })

  it('has empty lines, a last one without an end, and ends of two kinds', async () => {
    const lines: string[] = []
    const result = await exec.run({ ...script("printf 'a\\n\\nb\\r\\nc'"), onStdoutLine: (line) => lines.push(line) })
    expect(lines).toEqual(['a', '', 'b', 'c'])
    expect(result.stdout).toBe('a\n\nb\nc')
  })

  it('may be one very long line: its text comes whole, its line in pieces', async () => {
    const lengths: number[] = []
    const result = await exec.run({
      ...node('process.stdout.write("[" + "ü".repeat(3 * 1024 * 1024) + "]\\nend\\n")'),
      onStdoutLine: (line) => lengths.push(line.length),
    })
    const text = `[${'ü'.repeat(3 * 1024 * 1024)}]\nend`
    // Not toBe: a difference of six megabytes helps nobody.
    expect(result.stdout.length).toBe(text.length)
    expect(result.stdout === text).toBe(true)
    expect(lengths.length).toBeGreaterThan(2)
    expect(Math.max(...lengths)).toBeLessThan(2 * 1024 * 1024)
  })

  it('is kept up to the limit, and what is kept is its end', async () => {
    const result = await exec.run({ ...script('seq 1 200000'), keepBytes: 1000 })
    expect(result.stdout.length).toBeLessThanOrEqual(1000)
    expect(result.stdout.length).toBeGreaterThan(900)
    expect(result.stdout.endsWith('199999\n200000')).toBe(true)
  })

  it('is bounded also where a tool never ends its line', async () => {
    const result = await exec.run({ ...script("head -c 8000000 /dev/zero | tr '\\0' x; printf end"), keepBytes: 1000 })
    expect(result.stdout.length).toBeLessThanOrEqual(1000)
    expect(result.stdout.endsWith('xxxend')).toBe(true)
  })

  it('of which there are 64 MiB of errors does not stay in our memory', async () => {
    const before = process.memoryUsage()
    const result = await exec.run(script('yes 0123456789abcdef | head -c 67108864 >&2; echo >&2; echo last >&2'))
    expect(result.stderr.length).toBeLessThanOrEqual(64 * 1024)
    expect(result.stderr.endsWith('\nlast')).toBe(true)
    globalThis.gc?.()
    const { arrayBuffers, external } = process.memoryUsage()
    expect(arrayBuffers - before.arrayBuffers).toBeLessThan(32 * 1024 * 1024)
    expect(external - before.external).toBeLessThan(32 * 1024 * 1024)
  })

  it('comes unchanged where bytes are asked for', async () => {
    const bytes = Uint8Array.from({ length: 300_000 }, (_, index) => (index * 7919) % 256)
    const result = await exec.run({ file: 'cat', args: [], input: bytes, stdout: 'bytes', ...hangLimit })
    expect(Buffer.from(result.stdoutBytes).equals(bytes)).toBe(true)
    expect(result.stdout).toBe('')
  })

  it.each([0, 3, 4])('runs to its end when a listener throws, and its exit code %i does not count as a result', async (code) => {
    const lines: string[] = []
    const result = await exec.run({
      ...script('echo one; echo two; echo three >&2; exit "$1"', String(code)),
      onStdoutLine: (line) => {
        lines.push(line)
        throw new RangeError('cannot take it')
      },
      onStderrLine: () => {
        throw new Error('nor this')
      },
    })
    expect(lines).toEqual(['one', 'two'])
    expect(result).toMatchObject({ outcome: 'exited', exitCode: null, endedBySignal: null, stdout: 'one\ntwo' })
    expect(result.stderr).toContain('three')
    expect(result.stderr).toContain('cannot take it')
    expect(result.callerError).toMatch(/RangeError: cannot take it\n +at .*exec\.test\.ts:\d+/)
  })

  it('has failed also when a listener is asynchronous and rejects', async () => {
    const listener = (line: string): unknown => Promise.reject(new Error(`no ${line}`))
    const result = await exec.run({ ...script('echo one; sleep 0.1'), onStdoutLine: listener })
    expect(result).toMatchObject({ exitCode: null, callerError: expect.stringContaining('Error: no one') as string })
  })

  it('hides a secret in the error of a listener too', async () => {
    const secret = new Secret('hunter2-and-more')
    const listener = (): void => {
      throw new Error('hunter2-and-more')
    }
    const result = await exec.run({ ...script('echo one'), secrets: [secret], onStdoutLine: listener })
    expect(result.callerError).toContain('Error: ')
    expect(result.callerError).not.toContain('hunter2')
    expect(result.stderr).not.toContain('hunter2')
  })
})

describe('a stream as standard input', () => {
  it('arrives unchanged and in order, text and bytes, and no faster than it is read', async () => {
    const part = Buffer.alloc(256 * 1024, 'x')
    let given = 0
    const input = async function* (): AsyncGenerator<string | Uint8Array> {
      yield 'first\n'
      while (given < 40) {
        given++
        yield part
      }
    }
    const tool = exec.start({ ...script('read -r line; echo "$line"; until [ -e "$1" ]; do sleep 0.01; done; wc -c', at('go')), input: input(), ...hangLimit })
    await until(() => given > 0, 'the stream is read')
    expect(given).toBeLessThan(20)
    writeFileSync(at('go'), '')
    const result = await tool.result
    expect(result).toMatchObject({ outcome: 'exited', exitCode: 0, callerError: null })
    expect(result.stdout.split('\n').map((line) => line.trim())).toEqual(['first', String(40 * part.length)])
  })

  it('may be empty', async () => {
    const input = async function* (): AsyncGenerator<string> {}
    expect(await exec.run({ file: 'cat', args: [], input: input(), ...hangLimit })).toMatchObject({ exitCode: 0, stdout: '' })
  })

  it('stops the tool when it throws: a part must not be taken for the whole', async () => {
    const input = async function* (): AsyncGenerator<string> {
      yield 'half'
      throw new Error('the source broke off')
    }
    const result = await exec.run({ ...script('cat > "$1"; touch "$2"', at('content'), at('taken-as-whole')), input: input(), ...hangLimit })
    expect(result).toMatchObject({ outcome: 'exited', exitCode: null, callerError: expect.stringContaining('the source broke off') as string })
    expect(existsSync(at('taken-as-whole'))).toBe(false)
  })

  it('is closed when the tool ends before it has read everything, also while it waits for more', async () => {
    let isClosed = false
    const input = async function* (): AsyncGenerator<string> {
      try {
        for (;;) yield 'x'.repeat(100_000)
      } finally {
        isClosed = true
      }
    }
    expect(await exec.run({ ...script('exit 0'), input: input(), ...hangLimit })).toMatchObject({ outcome: 'exited', exitCode: 0, callerError: null })
    await until(() => isClosed, 'the stream is closed')
    const forEver: AsyncIterable<string> = { [Symbol.asyncIterator]: () => ({ next: () => new Promise<never>(() => {}) }) }
    expect(await exec.run({ ...script('exit 5'), input: forEver, ...hangLimit })).toMatchObject({ outcome: 'exited', exitCode: 5 })
  })

  it('is given up with its tool at the time limit', async () => {
    const forEver: AsyncIterable<string> = { [Symbol.asyncIterator]: () => ({ next: () => new Promise<never>(() => {}) }) }
    expect(await exec.run({ file: 'cat', args: [], input: forEver, timeoutMs: 200 })).toMatchObject({ outcome: 'timed-out' })
  })
})

describe('a tool that cannot be started', () => {
  const refused: [string, () => ToolRequest, RegExp][] = [
    ['there is no such program', () => ({ file: 'stackbk-no-such-tool', args: [] }), /^no program stackbk-no-such-tool in PATH$/],
    ['there is nothing at its path', () => ({ file: at('nothing'), args: [] }), /^there is no program \/.*nothing$/],
    ['its folder is not there', () => ({ file: 'true', args: [], cwd: at('nowhere') }), /nowhere|ENOENT/],
    ['its arguments are longer than the system takes', () => ({ file: 'true', args: Array.from({ length: 40 }, () => 'x'.repeat(100_000)) }), /E2BIG/],
    ['an argument holds what no argument can', () => ({ file: 'true', args: ['a\0b'] }), /null bytes/],
  ]
  it.each(refused)('because %s is not-started, with the reason', async (_, request, reason) => {
    const told: string[] = []
    const telling = createExec({ onStart: () => told.push('started'), onEnd: () => told.push('ended') })
    const tool = telling.start(request())
    expect(tool.process).toBeNull()
    const result = await tool.result
    expect(result).toMatchObject({ outcome: 'not-started', exitCode: null, endedBySignal: null })
    expect(result.startError).toMatch(reason)
    expect(told).toEqual([])
    expect(await tool.stop()).toEqual(result)
  })

  it('because it may not be run is not-started', async () => {
    writeFileSync(at('plain'), 'echo never\n')
    chmodSync(at('plain'), 0o600)
    const result = await exec.run({ file: at('plain'), args: [] })
    expect(result).toMatchObject({ outcome: 'not-started' })
    expect(result.startError).toMatch(/EACCES/)
  })

  it('because the run was cancelled before never runs', async () => {
    const tool = exec.start({ ...script('touch "$1"', at('ran')), signal: AbortSignal.abort() })
    expect(await tool.result).toMatchObject({ outcome: 'cancelled', exitCode: null })
    expect(tool.process).toBeNull()
    expect(existsSync(at('ran'))).toBe(false)
  })
})

describe('a secret', () => {
  const secret = new Secret('hunter2-and-more')

  /** Runs a tool that says all it knows, and looks at its process meanwhile. */
  async function observed(request: Partial<ToolRequest>): Promise<{ result: ToolResult; lines: string[]; commandLine: string; environment: string }> {
    const lines: string[] = []
    const tool = exec.start({
      ...script('echo "out $SECRET"; echo "err $SECRET" >&2; cat; until [ -e "$1" ]; do sleep 0.01; done', at('go')),
      ...hangLimit,
      ...request,
      onStdoutLine: (line) => lines.push(line),
      onStderrLine: (line) => lines.push(line),
    })
    await until(() => lines.length >= 2, 'the tool has spoken')
    const of = (name: string): string => readFileSync(`/proc/${String(tool.process?.pid)}/${name}`, 'utf8')
    const [commandLine, environment] = [of('cmdline'), of('environ')]
    writeFileSync(at('go'), '')
    return { result: await tool.result, lines, commandLine, environment }
  }

  it('in the environment is not in the error stream, which is for people, and not in the arguments that every user can read', async () => {
    const { result, lines, commandLine, environment } = await observed({ env: { SECRET: secret } })
    expect(environment).toContain('SECRET=hunter2-and-more')
    expect(commandLine).not.toContain('hunter2')
    expect(lines).toContain('err ********')
    expect(result).toMatchObject({ stderr: 'err ********' })
  })

  it('does not falsify the standard output, which a program reads', async () => {
    const { result, lines } = await observed({ env: { SECRET: secret } })
    expect(lines).toContain('out hunter2-and-more')
    expect(result).toMatchObject({ stdout: 'out hunter2-and-more' })
  })

  it('as input reaches the tool and nobody else', async () => {
    const { result, lines, commandLine, environment } = await observed({ input: secret })
    expect(lines).toContain('hunter2-and-more')
    expect(commandLine + environment + result.stderr).not.toContain('hunter2')
    expect((await exec.run({ file: 'wc', args: ['-c'], input: secret })).stdout.trim()).toBe('16')
  })

  it('that the request or the runner names is taken out too, and so is a password in a URL', async () => {
    const knowing = createExec({ secrets: [new Secret('of-the-runner')] })
    const result = await knowing.run({ ...script('echo "$1 of-the-runner sftp://ann:pass-word@host/path" >&2', 'named-one'), secrets: [new Secret('named-one')] })
    expect(result).toMatchObject({ stderr: '******** ******** sftp://ann:********@host/path' })
  })

  it('is no secret to who reads bytes: those come unchanged', async () => {
    const result = await exec.run({ ...script('printf %s "$SECRET"'), env: { SECRET: secret }, stdout: 'bytes' })
    expect(Buffer.from(result.stdoutBytes).toString()).toBe('hunter2-and-more')
  })
})

describe('bind mounts', () => {
  const isRoot = process.getuid?.() === 0

  it.runIf(isRoot)('are seen by the tool and its children, and by nobody else', async () => {
    for (const name of ['one', 'two']) {
      await exec.run(script('mkdir -p "$1" "$2"; echo "$3" >"$1/file"; echo original >"$2/file"', at(`${name}.source`), at(`${name} target`), name))
    }
    const result = await exec.run({
      ...script('cat "$1/file"; sh -c \'cat "$1/file"\' x "$2"; exit 9', at('one target'), at('two target')),
      bindMounts: [
        { source: at('one.source'), target: at('one target') },
        { source: at('two.source'), target: at('two target') },
      ],
    })
    expect(result).toMatchObject({ exitCode: 9, stdout: 'one\ntwo', stderr: '' })
    expect(readFileSync(at('one target/file'), 'utf8')).toBe('original\n')
    expect(readFileSync('/proc/self/mountinfo', 'utf8')).not.toContain('one\\040target')
  })

  it.runIf(isRoot)('do not put another process between us and the tool', async () => {
    await exec.run(script('mkdir "$1"', at('folder')))
    const tool = exec.start({ ...script('echo $$; until [ -e "$1" ]; do sleep 0.01; done', at('go')), bindMounts: [{ source: at('folder'), target: at('folder') }], ...hangLimit })
    const pid = tool.process?.pid ?? 0
    await until(() => readFileSync(`/proc/${pid}/cmdline`, 'utf8').startsWith('sh\0-c\0echo'), 'the tool has been reached')
    expect(readProcess(pid)?.processGroup).toBe(pid)
    writeFileSync(at('go'), '')
    expect((await tool.result).stdout).toBe(String(pid))
  })

  it.runIf(isRoot)('that cannot be made keep the tool from running', async () => {
    const result = await exec.run({ ...script('touch "$1"', at('ran')), bindMounts: [{ source: at('missing'), target: at('missing too') }] })
    expect(result).toMatchObject({ outcome: 'exited', exitCode: 125 })
    expect(result.stderr).toContain('missing')
    expect(existsSync(at('ran'))).toBe(false)
  })
})
