/**
 * The arrows between the folders, as docs/architecture.md draws them:
 * contract <- everything; checkpoint <- transformer, sae; onnx <- transformer, sae <- inference.
 */
const numeric = '^src/main/(machine|checkpoint|onnx|transformer|sae|inference)/'

/** @type {import('dependency-cruiser').IConfiguration} */
export default {
  forbidden: [
    {
      name: 'contract-stands-alone',
      comment: 'The contract says what can be asked; it imports nothing of ours.',
      severity: 'error',
      from: { path: '^src/contract/', pathNot: '\\.test\\.ts$' },
      to: { path: '^src/(?!contract/)' }
    },
    {
      name: 'machine-stands-alone',
      comment: 'What the system says of the machine, for whoever asks.',
      severity: 'error',
      from: { path: '^src/main/machine/', pathNot: '\\.test\\.ts$' },
      to: { path: '^src/(?!contract/|main/machine/)' }
    },
    {
      name: 'checkpoint-is-the-bottom',
      comment: 'Bytes on disk know nothing of graphs, transformers or SAEs.',
      severity: 'error',
      from: { path: '^src/main/checkpoint/', pathNot: '\\.test\\.ts$' },
      to: { path: '^src/(?!contract/|main/checkpoint/)' }
    },
    {
      name: 'onnx-is-the-bottom',
      comment: 'The graph builder knows ONNX and nothing of ours but the contract.',
      severity: 'error',
      from: { path: '^src/main/onnx/', pathNot: '\\.test\\.ts$' },
      to: { path: '^src/(?!contract/|main/onnx/)' }
    },
    {
      name: 'transformer-on-checkpoint-and-onnx',
      comment: 'A family uses checkpoint and onnx, and knows nothing of SAEs.',
      severity: 'error',
      from: { path: '^src/main/transformer/', pathNot: '\\.test\\.ts$' },
      to: { path: '^src/(?!contract/|main/(checkpoint|onnx|transformer)/)' }
    },
    {
      name: 'sae-on-checkpoint-and-onnx',
      comment: 'An SAE format uses checkpoint and onnx, and knows nothing of families.',
      severity: 'error',
      from: { path: '^src/main/sae/', pathNot: '\\.test\\.ts$' },
      to: { path: '^src/(?!contract/|main/(checkpoint|onnx|sae)/)' }
    },
    {
      name: 'inference-is-numeric-alone',
      comment: 'The inference process knows neither the mirror nor the engine that starts it.',
      severity: 'error',
      from: { path: '^src/main/inference/', pathNot: '\\.test\\.ts$' },
      to: { path: '^src/(?!contract/)', pathNot: numeric }
    },
    {
      name: 'evaluation-knows-passes-alone',
      comment: 'An evaluation has passes run by whoever asks for it; it knows their messages, and neither models nor the engine.',
      severity: 'error',
      from: { path: '^src/main/evaluation/', pathNot: '\\.test\\.ts$' },
      to: { path: '^src/(?!contract/|main/(checkpoint|corpus|evaluation)/|main/inference/evaluation-messages\\.ts$)' }
    },
    {
      name: 'harvest-knows-passes-alone',
      comment: 'And so does a harvest; what it finds goes to the mirror through the engine.',
      severity: 'error',
      from: { path: '^src/main/harvest/', pathNot: '\\.test\\.ts$' },
      to: { path: '^src/(?!contract/|main/(checkpoint|corpus|harvest)/|main/inference/harvest-messages\\.ts$)' }
    },
    {
      name: 'corpus-is-the-bottom',
      comment: 'Texts as sequences and passes know nothing of what is made of them.',
      severity: 'error',
      from: { path: '^src/main/corpus/', pathNot: '\\.test\\.ts$' },
      to: { path: '^src/(?!contract/|main/(checkpoint|corpus)/)' }
    },
    {
      name: 'mirror-stands-alone',
      comment: 'Explanations are text in SQLite: no tensors, no graphs.',
      severity: 'error',
      from: { path: '^src/main/explanations/', pathNot: '\\.test\\.ts$' },
      to: { path: '^src/main/(checkpoint|onnx|transformer|sae|inference|engine)/' }
    },
    {
      name: 'notebook-stands-alone',
      comment: "Lists, notes and searches of one's own know nothing of the mirror: they outlive it.",
      severity: 'error',
      from: { path: '^src/main/notebook/', pathNot: '\\.test\\.ts$' },
      to: { path: '^src/(?!contract/|main/(notebook|sqlite)/)' }
    },
    {
      name: 'history-stands-alone',
      comment: 'The history keeps what runs gave; it knows neither models nor who runs them.',
      severity: 'error',
      from: { path: '^src/main/(runs|sqlite)/', pathNot: '\\.test\\.ts$' },
      to: { path: '^src/(?!contract/|main/(runs|sqlite)/)' }
    },
    {
      name: 'hub-stands-alone',
      comment: 'The hub, its cache and downloads know files and the network, and nothing of models.',
      severity: 'error',
      from: { path: '^src/main/hub/', pathNot: '\\.test\\.ts$' },
      to: { path: '^src/(?!contract/|main/(hub|transfer)/)' }
    },
    {
      name: 'transfer-is-the-bottom',
      comment: 'Connections, locks and room on disks know nothing of what is transferred.',
      severity: 'error',
      from: { path: '^src/main/transfer/', pathNot: '\\.test\\.ts$' },
      to: { path: '^src/(?!contract/|main/transfer/)' }
    },
    {
      name: 'bucket-stands-alone',
      comment: 'The bulk bucket knows its listings and objects, and nothing of the mirror.',
      severity: 'error',
      from: { path: '^src/main/bucket/', pathNot: '\\.test\\.ts$' },
      to: { path: '^src/(?!contract/|main/(bucket|transfer)/)' }
    },
    {
      name: 'hosts-ask-the-engine',
      comment: 'The command line and the hosts reach models and SAEs through the engine alone; how JSON is bounded is the same for all.',
      severity: 'error',
      from: { path: '^src/(main/(cli|browser-host|electron|index\\.ts)|preload)', pathNot: '\\.test\\.ts$' },
      to: { path: '^src/main/(transformer|sae|onnx|checkpoint|inference)/', pathNot: '^src/main/checkpoint/json\\.ts$' }
    },
    {
      name: 'doctor-needs-nothing-that-may-be-ill',
      comment: "The doctor looks from outside: only its trial's process, which may end, touches ONNX Runtime.",
      severity: 'error',
      from: { path: '^src/main/doctor/', pathNot: '(\\.test|/trial-entry)\\.ts$' },
      to: { path: '^src/', pathNot: '^src/(contract|main/(machine|doctor))/|^src/main/engine/process-entry\\.ts$' }
    },
    {
      name: 'electron-in-its-own-files',
      comment: 'Engine, inference, command line and browser host are plain Node.',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/(main/(index\\.ts$|electron/)|preload/)' },
      to: { path: '^electron$|node_modules/electron/' }
    },
    {
      name: 'shell-is-light',
      comment: 'What runs inside Electron supervises the engine and never loads what the engine works with.',
      severity: 'error',
      from: { path: '^src/(main/(index\\.ts$|electron/)|preload/)', pathNot: '\\.test\\.ts$' },
      to: {
        path: 'node_modules/(onnxruntime|better-sqlite3|sqlite-vec|protobufjs|yauzl)|^src/main/(engine/engine\\.ts|inference/)',
        reachable: true
      }
    },
    {
      name: 'renderer-knows-contract-and-export',
      severity: 'error',
      from: { path: '^src/renderer/', pathNot: '\\.test\\.ts$' },
      to: { path: '^src/(?!contract/|export/|renderer/)' }
    },
    {
      name: 'export-knows-the-contract-alone',
      comment: 'Files made of a run are text from a result, for windows and the command line alike.',
      severity: 'error',
      from: { path: '^src/export/', pathNot: '\\.test\\.ts$' },
      to: { path: '^src/(?!contract/|export/)' }
    },
    {
      name: 'export-has-no-node',
      comment: 'The renderer uses it.',
      severity: 'error',
      from: { path: '^src/export/', pathNot: '\\.test\\.ts$' },
      to: { dependencyTypes: ['core'] }
    },
    {
      name: 'renderer-has-no-node',
      comment: 'The renderer is sandboxed.',
      severity: 'error',
      from: { path: '^src/renderer/', pathNot: '\\.test\\.ts$' },
      to: { dependencyTypes: ['core'] }
    },
    {
      name: 'nobody-imports-the-renderer',
      severity: 'error',
      from: { path: '^src/(main|preload|contract)/' },
      to: { path: '^src/renderer/' }
    },
    { name: 'no-circles', severity: 'error', from: {}, to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } } },
    { name: 'nothing-unresolved', severity: 'error', from: {}, to: { couldNotResolve: true } }
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      extensions: ['.ts', '.mts', '.js', '.mjs', '.svelte', '.svelte.ts', '.json'],
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'svelte', 'default', 'types']
    }
  }
}
