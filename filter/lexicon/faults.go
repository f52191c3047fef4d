package lexicon

import "bendi/internal/faults"

// A Fault is one thing wrong with a file of words.
type Fault = faults.Fault

// Faults are all that is wrong with a file, in the order of their positions.
type Faults = faults.Faults
