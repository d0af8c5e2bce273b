/**
 * What commands need of oclif, from its parts: its index loads all the rest too, a third of what a small command costs.
 */
export * as Args from '@oclif/core/args'
export { Command } from '@oclif/core/command'
export * as Flags from '@oclif/core/flags'
