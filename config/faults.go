package config

import "bendi/internal/faults"

// A Fault is one thing wrong with a configuration.
type Fault = faults.Fault

// Faults are all that is wrong with a configuration, in the order of their
// positions; those outside a file come last.
type Faults = faults.Faults
