/** What of the shell is open: the palette, the list of shortcuts, About, the diagnostics, and the pickers at the top. */

class Shell {
  dialog = $state<'palette' | 'shortcuts' | 'about' | 'diagnostics' | null>(null)
  /** What the palette begins with. */
  query = $state('')
  /** The picker that is open: `add-sae`, or `sae:` and an SAE's name in runs. */
  picker = $state<string | null>(null)
  /** Whether the prompt takes the focus when it comes on screen. */
  promptWanted = false

  /** Opens the palette, with something in its box where it is for that. */
  openPalette(query = ''): void {
    this.query = query
    this.dialog = 'palette'
  }
}

export const shell = new Shell()
