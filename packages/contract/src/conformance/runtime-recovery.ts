import { mkdir, mkdtemp, readFile, realpath, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { done, failed } from '../answer.js'
import type { Capsule } from '../capsule.js'
import type { RebuildQuestion, RebuildRequest, RebuiltVolume, Runtime, Scratch, StackState } from '../runtime.js'
import { failureOf, valueOf } from './answers.js'
import { expectEqual, expectThat } from './expectations.js'
import type { StackForTest } from './stack-for-test.js'

const limitMs = 60_000

/** What a test is given: a runtime, and a stack that is not up yet. */
type RecoveryTest = (runtime: Runtime, stack: StackForTest) => Promise<void>

/** The way back from a capsule, and its rehearsal. */
export const recoveryTests: readonly { readonly name: string; readonly run: RecoveryTest }[] = [
  {
    name: 'what a capsule tells is rebuilt: what ran runs, what was stopped is there and does not, its volume is filled before',
    async run(runtime, stack) {
      const capsule = await recorded(runtime, stack)
      await stack.takeAway()
      expectEqual('problems and losses that canRebuild() names where nothing is in the way', valueOf(await runtime.canRebuild(capsule, question(stack))), { problems: [], losses: [] })
      expectEqual('the services that run after canRebuild()', await stack.running(), [])
      const filled: RebuiltVolume[] = []
      const report = valueOf(await runtime.rebuild(capsule, request(stack, async (volumes) => {
        expectEqual('the services that run while the volumes are filled', await stack.running(), [])
        for (const volume of volumes) await writeFile(join(volume.path, 'mark'), 'restored')
        filled.push(...volumes)
        return done
      })))
      expectEqual('the report of rebuild()', report, { isUp: true, missing: [], completed: [], unprovenImages: [], losses: [] })
      expectEqual('the services that run after rebuild()', await stack.running(), ['db', 'web'])
      expectEqual('the volumes that were to be filled, and whether they are new', filled.map(({ recorded: { name }, isNew }) => [name, isNew]), [[capsule.projects[0]!.volumes[0]!.name, true]])
      const state = await look(runtime, stack)
      expectEqual('the services that have containers after rebuild()', state.projects.flatMap((project) => project.containers).map((container) => container.service).sort(), ['db', 'extra', 'web'])
      const [db] = state.projects.flatMap((project) => project.containers).filter((container) => container.service === 'db')
      expectEqual('the content of a volume that was filled', await readFile(join(db!.mounts.find((mount) => mount.kind === 'volume')!.source, 'mark'), 'utf8'), 'restored')
      // It is a stack like any other again.
      expectEqual('the replicas in the capsule of the rebuilt stack', valueOf(await runtime.describe(state)).projects[0]?.replicas, capsule.projects[0]!.replicas)
    },
  },
  {
    name: 'a rebuild starts nothing where it is told so, and where a volume could not be filled; what it made is taken down by a stop',
    async run(runtime, stack) {
      const capsule = await recorded(runtime, stack)
      await stack.takeAway()
      const failure = failureOf(await runtime.rebuild(capsule, request(stack, async () => failed({ kind: 'failed', message: 'no room' }))))
      expectEqual('the message of the failure, which is that of the filling', failure.message, 'no room')
      expectEqual('the services that run after a rebuild that failed while the volumes were filled', await stack.running(), [])
      valueOf(await runtime.stop(await look(runtime, stack), { mode: 'down', graceSeconds: 1 }))
      expectEqual('the condition after a rebuild that failed while the volumes were filled and was removed', (await look(runtime, stack)).condition, 'not-found')
      valueOf(await runtime.rebuild(capsule, { ...request(stack, async () => done), noStart: true }))
      expectEqual('the services that run after a rebuild that starts nothing', await stack.running(), [])
      expectEqual('the condition after a rebuild that starts nothing', (await look(runtime, stack)).condition, 'stopped')
    },
  },
  {
    name: 'a rebuild does not come over a stack that is there, nor of a service that nobody knows',
    async run(runtime, stack) {
      const capsule = await recorded(runtime, stack)
      const before = processesOf(await look(runtime, stack))
      failureOf(await runtime.rebuild(capsule, request(stack, async () => done)))
      expectEqual('the kind of failure of canRebuild() for a service that is not in the capsule', failureOf(await runtime.canRebuild(capsule, { ...question(stack), services: ['no-such-service'] })).kind, 'not-found')
      expectEqual('the processes after canRebuild(), which are those of before', processesOf(await look(runtime, stack)), before)
    },
  },
  {
    name: 'a rehearsal beside production leaves that as it is, has its data below its folder, and goes by its label',
    async run(runtime, stack) {
      const capsule = await recorded(runtime, stack)
      const before = processesOf(await look(runtime, stack))
      const directory = await mkdtemp(join(await realpath(tmpdir()), 'stackbk-rehearsal-'))
      const scratch: Scratch = { label: `rehearsal-${process.pid}-${Date.now().toString(36)}`, directory, restored: new Map(), images: 'local', healthTimeoutMs: limitMs }
      try {
        const volume = capsule.projects[0]!.volumes[0]!
        const restored = join(directory, 'restored')
        await mkdir(restored)
        await writeFile(join(restored, 'mark'), 'restored')
        const rehearsal = valueOf(await runtime.startIsolated(capsule, { ...scratch, restored: new Map([[volume.path, restored]]) }))
        expectEqual('healthy, missing, leftOut and unprovenImages of a stack in isolation', [rehearsal.healthy, rehearsal.missing, rehearsal.leftOut, rehearsal.unprovenImages], [true, [], [], []])
        expectEqual('the services of a stack in isolation', rehearsal.containers.map(({ service }) => service).sort(), ['db', 'web'])
        expectThat('the name of each container in isolation begins with the label', rehearsal.containers.every(({ name }) => name.startsWith(scratch.label)))
        const db = rehearsal.containers.find(({ service }) => service === 'db')!
        const inside = valueOf(await runtime.runInside(db.id, ['cat', join(volume.target, 'mark')], { timeoutMs: limitMs }))
        expectEqual('exit code and output of a command in isolation', inside, { exitCode: 0, output: 'restored' })
        expectEqual('the processes of the stack outside of the isolation, which are those of before', processesOf(await look(runtime, stack)), before)
        expectThat('removeByLabel() removes at least the containers in isolation', valueOf(await runtime.removeByLabel(scratch.label)).removed >= rehearsal.containers.length)
        failureOf(await runtime.runInside(db.id, ['true'], { timeoutMs: limitMs }))
        expectEqual('the processes of the stack after the removal, which are those of before', processesOf(await look(runtime, stack)), before)
      } finally {
        await runtime.removeByLabel(scratch.label)
        await rm(directory, { recursive: true, force: true })
      }
    },
  },
  {
    name: 'a command inside a container gives its exit code and its output, and one that goes on for too long none',
    async run(runtime, stack) {
      await stack.up()
      const web = (await look(runtime, stack)).projects.flatMap((project) => project.containers).find((container) => container.service === 'web')!
      expectEqual('exit code and output of a command that is run inside', valueOf(await runtime.runInside(web.id, ['sh', '-c', 'echo "$0"; exit 3', 'a b'], { timeoutMs: limitMs })), { exitCode: 3, output: 'a b' })
      expectEqual('the exit code of a command that did not end in time', valueOf(await runtime.runInside(web.id, ['sleep', '1000'], { timeoutMs: 300 })).exitCode, null)
      failureOf(await runtime.runInside(web.id, ['/no/such/command'], { timeoutMs: limitMs }))
    },
  },
]

/** Of the stack with `extra` stopped, as it comes out of a snapshot. */
async function recorded(runtime: Runtime, stack: StackForTest): Promise<Capsule> {
  await stack.up()
  await stack.stopService('extra')
  return JSON.parse(JSON.stringify(valueOf(await runtime.describe(await look(runtime, stack))))) as Capsule
}

function question(stack: StackForTest): RebuildQuestion {
  return { directory: stack.directory, services: [], images: 'local', allowHostVolumes: false, noStart: false, restoredPaths: [] }
}

function request(stack: StackForTest, fillVolumes: RebuildRequest['fillVolumes']): RebuildRequest {
  return { directory: stack.directory, services: [], images: 'local', allowHostVolumes: false, noStart: false, healthTimeoutMs: limitMs, fillVolumes }
}

async function look(runtime: Runtime, stack: StackForTest): Promise<StackState> {
  const [state] = valueOf(await runtime.inspect([stack.directory]))
  expectThat('inspect() gives the state of the stack', state !== undefined)
  return state
}

function processesOf(state: StackState): unknown[] {
  return state.projects.flatMap((project) => project.containers).map((container) => [container.id, container.startedAt, container.condition])
}
