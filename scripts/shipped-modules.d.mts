import type { Plugin } from 'vite'

export const shippedFile: string
export function shippedModules(): Plugin
