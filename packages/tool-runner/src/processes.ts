export { endProcessGroup, groupIsAlive } from './process-group.js'
export { findProcesses, isSameProcess, processState, readProcess, type ProcessFacts } from './process-table.js'
export { createRedactor, redactUrls } from './redaction.js'
