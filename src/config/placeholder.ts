const wordings = [
  /^change[-_ ]?(me|this)([-_!. ].*)?$/i,
  /^replace[-_ ]?(me|this|with)([-_!. ].*)?$/i,
  /^(todo|fixme|placeholder|tbd)$/i,
  /^your[-_ ].*(password|passphrase|secret|token|key|here)/i,
  /^YOUR_[A-Z0-9_]+$/,
  /^(enter|insert)[-_ ](your|a|the|an)[-_ ].*(password|passphrase|secret|token|key|here)/i,
  /^[a-z]*[-_ ]?(password|passphrase|secret|token)[-_ ]here$/i,
  /^<.*>$/,
  /^\.{3,}$/,
  /^x{3,}$/i,
  /^\*+$/,
]

/** Whether a secret was left as a template had it: nobody's password, and everybody's. */
export function isPlaceholder(secret: string): boolean {
  const text = secret.trim()
  return wordings.some((wording) => wording.test(text))
}
