// Package models knows where the parts of an installation lie and what a model
// file is.
//
// A [Home] is the folder of an installation: bin/bendi and bin/bendi-engine,
// the shared libraries in bin/lib and bin/lib-cuda, and the bundled demo model
// in models/demo.
// [Inspect] reads what a GGUF file says about itself; [CheckModel] and
// [CheckAdapter] tell before a worker is started whether it can serve the file.
//
// The package loads no model and starts no process.
package models
