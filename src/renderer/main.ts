/** Starts the window: connects to the engine, mounts the app. */
import { mount } from 'svelte'
import App from './app.svelte'
import { connection } from './state/connection.svelte.ts'
import { theme } from './state/theme.svelte.ts'
import './theme.css'

theme.start()
connection.start()
const target = document.getElementById('app')
if (target === null) throw new Error('index.html has no element #app')
mount(App, { target })
