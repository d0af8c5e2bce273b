#!/usr/bin/env node
import { readFileSync } from 'node:fs'
import module from 'node:module'

// Node 22 and newer keep compiled code between runs.
module.enableCompileCache?.()

const argv = process.argv.slice(2)
if (argv.length === 1 && argv[0] === '--version') {
  // In oclif's own words, without loading it.
  const { name, version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))
  process.stdout.write(`${name}/${version} ${process.platform}-${process.arch} node-${process.version}\n`)
} else {
  const [{ run }, { flush }, { arrangeArguments }] = await Promise.all([
    import('@oclif/core/run'),
    import('@oclif/core/flush'),
    import('../dist/ui/arguments.js'),
  ])
  try {
    await run(arrangeArguments(argv), import.meta.url)
    await flush()
  } catch (error) {
    const { endWithError } = await import('../dist/ui/last-resort.js')
    await endWithError(error, argv, import.meta.url)
  }
}
