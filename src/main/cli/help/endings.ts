/** What several help texts end with. */
export const everywhere = `  --db FILE                 the mirror of explanations to use; without it, the one in SPLICE_HOME or
                            the platform's data folder
  --help                    this text`

export const exits = `Exit codes: 0 done; 1 internal or engine failure; 2 a mistake in the arguments or files;
3 finished with rejected rows; 130 stopped by Ctrl-C.`
