/** All folders of our own begin so, whoever's they are: they are never moved and never removed with something else. */
export const ownFolderPrefix = '.stackbk-recover-'
