/**
 * What a check of an SAE reads where no prompt is given: some 150 tokens of plain English on several topics, which also are the demo's.
 * An alarm rests on enough tokens, and an L0 on text that is not all of one kind.
 */
export const checkText = [
  'Once upon a time there was a young princess who lived in a small castle near the forest. Every morning she walked to the river with her dog.',
  'First, slice the garlic and put it in a small bowl. Taste the sauce and add more salt. Stir the pie slowly until it is thick.',
  'The patient came to the hospital with a headache. Wash your hands to prevent an infection. Drink plenty of water and rest for a few days.',
  'Time passes more slowly near a black hole or on a very fast ship. Would you be able to travel back in time?',
  'The rain will stop in the afternoon, and tomorrow the sun will shine again.'
].join(' ')
