// Package fit tells how much memory a model will take before it is loaded, and
// whether the machine has it.
//
// [Measure] reads the header of a GGUF file and adds up what llama.cpp will
// allocate for it: weights, KV cache, the buffers of a computation, the context
// that embeddings are computed in, and what the process itself takes, each in
// the machine's memory or on GPUs. A model that was made for embeddings has no
// conversations, and its inputs count with their full length.
// [Look] reads what is free there: from /proc and the control group, and of
// NVIDIA's GPUs from nvidia-smi, which is the only process the package starts.
// [Check] compares the two and, where a model does not fit, says with which
// settings it would.
//
// The formulas of the buffers were found by having llama.cpp 0.5.0 reserve
// them for models of many shapes, and agree with it within 0.6 MiB for the
// llama and qwen2 families on a CPU; a test of the engine compares them with
// what it really allocates. On GPUs they are the same formulas, not measured
// there. What recurrent layers and sliding windows save is not counted, so
// models with these take less than is said here.
package fit
