export { createExec, type ExecOptions } from './exec.js'
export * from './processes.js'
