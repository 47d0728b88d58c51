/** Hands the engine's port to the page, and what a sandboxed page cannot do itself: paths of dropped files, the folder and file dialogs, the menu, what to open, the zoom. */
import { contextBridge, type IpcRendererEvent, ipcRenderer, webFrame, webUtils } from 'electron'

/** Takes what there is to open: from when the page asks for it. */
let take: () => void = () => undefined

contextBridge.exposeInMainWorld('splice', {
  host: 'electron',
  pathOf: (file: File) => webUtils.getPathForFile(file),
  chooseFolder: () => ipcRenderer.invoke('choose-folder'),
  chooseFile: () => ipcRenderer.invoke('choose-file'),
  chooseSaveFile: (name: string) => ipcRenderer.invoke('choose-save-file', name),
  onAction: (hear: (id: unknown) => void) => {
    const listen = (_event: IpcRendererEvent, id: unknown) => hear(id)
    ipcRenderer.on('action', listen)
    return () => {
      ipcRenderer.off('action', listen)
    }
  },
  onOpen: (hear: (requests: unknown) => void) => {
    take = () => void ipcRenderer.invoke('take-openings').then(hear)
    take()
  },
  tellActionStates: (states: unknown) => ipcRenderer.send('action-states', states),
  setZoom: (factor: number) => webFrame.setZoomFactor(factor),
  versions: { electron: process.versions.electron, chrome: process.versions.chrome }
})

ipcRenderer.on('opening-waits', () => take())
ipcRenderer.on('port', event => window.postMessage({ type: 'splice-port' }, '*', event.ports))
ipcRenderer.on('port-closed', () => window.postMessage({ type: 'splice-port-closed' }, '*'))
window.addEventListener('message', event => {
  if (event.source === window && event.data?.type === 'splice-port-wanted') ipcRenderer.send('port-wanted')
})
