/** Hands the engine's port to the page, and what a sandboxed page cannot do itself: paths of dropped files, the folder and file dialogs, the menu, the zoom. */
import { contextBridge, type IpcRendererEvent, ipcRenderer, webFrame, webUtils } from 'electron'

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
  tellActionStates: (states: unknown) => ipcRenderer.send('action-states', states),
  setZoom: (factor: number) => webFrame.setZoomFactor(factor),
  versions: { electron: process.versions.electron, chrome: process.versions.chrome }
})

ipcRenderer.on('port', event => window.postMessage({ type: 'splice-port' }, '*', event.ports))
ipcRenderer.on('port-closed', () => window.postMessage({ type: 'splice-port-closed' }, '*'))
window.addEventListener('message', event => {
  if (event.source === window && event.data?.type === 'splice-port-wanted') ipcRenderer.send('port-wanted')
})
