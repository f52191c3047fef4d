// Package load says how a model is loaded: how many tokens its KV cache holds
// and of what type they are, and how much of the model lies on which GPU.
//
// [Options] is the one value that travels the whole way: from the keys of a
// model in the configuration, as flags of the worker's command line, to the
// parameters of llama.cpp, and beside them to the estimate of the memory that
// all this takes. The package loads nothing itself.
package load
