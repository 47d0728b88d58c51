/** Stages the built app of a checkout into two empty folders, for the platform that this runs on. */
export function stageApp(root: string, app: string, engine: string): void
