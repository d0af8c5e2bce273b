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
  const [{ run }, { flush }, { settings }, { arrangeArguments, printsDocument }, { exactArguments }, { endInSpiteOfLeftovers, passOverLateErrors, reserveStandardOutput }, { loadOclif }, { isTerminal }] = await Promise.all([
    import('@oclif/core/run'),
    import('@oclif/core/flush'),
    import('@oclif/core/settings'),
    import('../dist/ui/arguments.js'),
    import('../dist/ui/exact-arguments.js'),
    import('../dist/host/foreign-code.js'),
    import('../dist/providers/load-oclif.js'),
    import('../dist/ui/terminal.js'),
  ])
  // A linked plugin is taken as it was built, without a word about that at each call.
  settings.enableAutoTranspile = false
  const arranged = arrangeArguments(exactArguments(argv), isTerminal)
  passOverLateErrors()
  // Before any plugin is loaded: some print as they are.
  if (printsDocument(arranged)) reserveStandardOutput()
  try {
    await run(arranged, await loadOclif(import.meta.url))
    await flush()
  } catch (error) {
    const { endWithError } = await import('../dist/ui/last-resort.js')
    await endWithError(error, argv, import.meta.url)
  }
  endInSpiteOfLeftovers()
}
