/** Builds the processes (out/main), the preload (out/preload) and the window's page (out/renderer). */
import { fileURLToPath } from 'node:url'
import { svelte } from '@sveltejs/vite-plugin-svelte'
import { defineConfig } from 'electron-vite'
import { shippedModules } from './scripts/shipped-modules.mjs'

const source = (file: string) => fileURLToPath(new URL(`./src/${file}`, import.meta.url))

/** Native modules find their binaries beside their own files; ws tries two optional ones. Everything else is bundled. */
const external = ['electron', 'better-sqlite3', 'sqlite-vec', 'onnxruntime-node', 'bufferutil', 'utf-8-validate']

export default defineConfig({
  main: {
    plugins: [shippedModules()],
    build: {
      externalizeDeps: false,
      target: 'node26',
      sourcemap: false,
      minify: false,
      rollupOptions: {
        external,
        input: {
          index: source('main/index.ts'),
          cli: source('main/cli/entry.ts'),
          engine: source('main/engine/entry.ts'),
          inference: source('main/inference/entry.ts'),
          trial: source('main/doctor/trial-entry.ts'),
          'mirror-writer': source('main/explanations/mirror-writer.ts'),
          'mirror-parser': source('main/explanations/import/mirror-parser.ts'),
          'mirror-reader': source('main/explanations/mirror-reader.ts')
        },
        output: { format: 'es', entryFileNames: '[name].js', chunkFileNames: 'chunks/[name]-[hash].js' }
      }
    }
  },
  preload: {
    plugins: [shippedModules()],
    build: {
      externalizeDeps: false,
      sourcemap: false,
      // A sandboxed preload is CommonJS in one file.
      rollupOptions: {
        external: ['electron'],
        input: { index: source('preload/index.ts') },
        output: { format: 'cjs', entryFileNames: '[name].cjs' }
      }
    }
  },
  renderer: {
    root: source('renderer'),
    plugins: [svelte(), shippedModules()],
    build: {
      sourcemap: false,
      minify: true,
      chunkSizeWarningLimit: 1000,
      modulePreload: { polyfill: false },
      // The content security policy allows no data: URLs.
      assetsInlineLimit: 0,
      rollupOptions: { input: { index: source('renderer/index.html') } }
    }
  }
})
