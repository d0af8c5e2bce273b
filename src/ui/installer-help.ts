/** Where installed plugins go, for the help of the commands that change it. */
export const pluginsFolderHelp = 'Plugins are installed for the user that runs stackbk, in $STACKBK_DATA_DIR or the data folder of that user.'

/** The example of a plugin as a file. */
export const exampleTarball = 'file:/root/stackbk-plugin-shelf-1.0.0.tgz'

export const exampleName = 'stackbk-plugin-shelf'
