// Package scan goes over the logits of a whole vocabulary: it finds the largest, and
// sums their exponentials.
//
// A model gives one for each of some 150,000 tokens, at every step and for every
// sequence, so that looking at each of them in plain Go takes as long as a GPU
// takes to compute them. On amd64 with AVX2 both functions are assembly, which is
// as fast as memory is; elsewhere, and in the tests as the judge, they are Go.
package scan
