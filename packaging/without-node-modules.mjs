/** What goes into the app is bundled: without this electron-builder would add the node_modules of the checkout. */
export default function beforeBuild() {
  return false
}
