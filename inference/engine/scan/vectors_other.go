//go:build !amd64

package scan

const vectors = false

func peaksAVX2(dst, x *float32, blocks int)                           { panic("no AVX2") }
func sumExpAVX2(x *float32, n int, most, scale float32) (sum float64) { panic("no AVX2") }
