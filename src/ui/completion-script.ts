/** The shells for which there is a script. */
export const shells = ['bash', 'zsh'] as const
export type Shell = (typeof shells)[number]

/**
 * The script that a shell reads once. It knows nothing by itself: at each Tab it asks `stackbk complete`, whose first line is
 * what is wanted (`values`, `files`, `folders`), and each further one a value, a tab, and what it is.
 */
export function completionScript(shell: Shell): string {
  return shell === 'bash' ? bash : zsh
}

const bash = String.raw`# bash completion for stackbk. Read it in ~/.bashrc: source <(stackbk completion bash)
# or once for all: stackbk completion bash > /usr/share/bash-completion/completions/stackbk
_stackbk() {
  local kind value current=${'${COMP_WORDS[COMP_CWORD]}'}
  [[ $current != '=' ]] || current=
  COMPREPLY=()
  {
    IFS= read -r kind
    while IFS=$'\t' read -r value _; do
      case $current in
        [\"\']*) COMPREPLY+=("$value") ;;
        *) COMPREPLY+=("$(printf '%q' "$value")") ;;
      esac
    done
  } < <("${'${COMP_WORDS[0]}'}" complete -- "${'${COMP_WORDS[@]:1:COMP_CWORD}'}" 2>/dev/null </dev/null)
  case $kind in
    files | folders)
      compopt -o filenames 2>/dev/null
      local action=-f
      [[ $kind == files ]] || action=-d
      while IFS= read -r value; do COMPREPLY+=("$value"); done < <(compgen "$action" -- "$current")
      ;;
  esac
}
complete -F _stackbk stackbk
`

const zsh = String.raw`#compdef stackbk
# zsh completion for stackbk. Put it as _stackbk into a folder of $fpath:
#   stackbk completion zsh > "${'${fpath[1]}'}/_stackbk"
# or read it in ~/.zshrc, after compinit: source <(stackbk completion zsh)
_stackbk() {
  local -a lines values shown
  local kind line
  lines=("${'${(@f)$("${words[1]}" complete -- "${(@)words[2,CURRENT]}" 2>/dev/null </dev/null)}'}")
  kind=${'${lines[1]}'}
  case $kind in
    files | folders)
      compset -P '--[^=]#='
      if [[ $kind == files ]]; then _files; else _files -/; fi
      return
      ;;
  esac
  for line in "${'${(@)lines[2,-1]}'}"; do
    values+=("${'${line%%$\'\\t\'*}'}")
    shown+=("${'${line/$\'\\t\'/  }'}")
  done
  (( ${'${#values}'} )) && compadd -l -d shown -- "${'${(@)values}'}"
}
if [[ $funcstack[1] == _stackbk ]]; then _stackbk "$@"; else compdef _stackbk stackbk; fi
`
