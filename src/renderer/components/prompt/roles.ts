/** Roles of a chat's turns in words. */

/** A role's name as it is shown; `prompt` is the engine's for the turn that is opened for the model. */
export function roleInWords(role: string): string {
  return role === 'prompt' ? "model's turn" : role
}
