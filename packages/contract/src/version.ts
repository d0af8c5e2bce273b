/** The version of this contract. A whole number: it goes up only when a provider written for the one before would break. */
export const CONTRACT_VERSION = 1
