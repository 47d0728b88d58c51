/** The help texts: one for the program, one for each command. */
import { exits } from './help/endings.ts'
import { explanationsHelp } from './help/explanations.ts'
import { machineHelp } from './help/machine.ts'
import { modelsHelp } from './help/models.ts'

/** The commands, in the order in which help lists them. */
export const commands = [
  'run',
  'test-prompt',
  'generate',
  'logit-lens',
  'attribute',
  'patch',
  'eval',
  'harvest',
  'check-sae',
  'hooks',
  'inspect',
  'import',
  'sync',
  'search',
  'sources',
  'feature',
  'similar',
  'mirror',
  'runs',
  'library',
  'releases',
  'download',
  'doctor',
  'diagnostics',
  'serve'
] as const
export type Command = (typeof commands)[number]

/** `splice --help`. */
export const programHelp = `splice: look inside language models with sparse autoencoders (SAEs)

  splice run --model DIR [--sae PATH]... --prompt TEXT    what a model predicts, as it is and with SAEs spliced in
  splice test-prompt --model DIR --prompt TEXT --answer A what a model makes of answers to a prompt
  splice generate --model DIR --prompt TEXT               continues a prompt, as it is and with SAEs spliced in
  splice logit-lens --model DIR --prompt TEXT             what each layer would predict, as it is and with SAEs spliced in
  splice attribute --model DIR --sae PATH --prompt TEXT   which features a prediction rests on, by ablating each of them
  splice patch --model DIR --prompt TEXT --source TEXT    where in a model the difference of two prompts sits
  splice eval --model DIR --sae PATH --text FILE          how good an SAE is on a text, by the textbook and by SAELens
  splice harvest --model DIR --sae PATH --text PATH...    what features do on a text of one's own, into the mirror
  splice check-sae --model DIR --sae PATH                 whether an SAE sits where its published figures are from
  splice hooks --model DIR [--sae PATH]...                the hook points of a model and its SAEs, without running it
  splice inspect PATH                                     what a model, an SAE or a weights file is, checked
  splice import PATH...                                   read explanations of features into the mirror
  splice sync MODEL/SOURCE...                             fetch them from Neuronpedia's bulk files
  splice search QUERY                                     search the explanations
  splice sources [MODEL/SOURCE]                           what the mirror holds, or one source in numbers
  splice feature MODEL/SOURCE/INDEX                       all that the mirror knows of a feature
  splice similar MODEL/SOURCE/INDEX                       explanations like those of a feature
  splice mirror state|check|backup|remove|compact         look after the mirror's file
  splice runs                                             the runs that are kept: list, show, export
  splice library                                          the models and SAEs on this disk
  splice releases [--model M]                             what is published, and what of it is on this disk
  splice download REPO | --release R --sae-id ID          an SAE, a model or files from the Hugging Face hub
  splice doctor                                           what this machine computes with, tried, and what is missing
  splice diagnostics [--out FILE]                         versions, settings and errors of late, to read and perhaps share
  splice serve                                            the workbench in a browser, on this machine's loopback

  splice COMMAND --help                                   the options of a command
  splice --version

${exits}
`

/** `splice COMMAND --help`. */
export const commandHelp: Record<Command, string> = { ...modelsHelp, ...explanationsHelp, ...machineHelp }
