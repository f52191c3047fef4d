package scan

// vectors says whether the processor and the system have AVX2 and FMA.
var vectors = hasAVX2()

// peaksAVX2 writes the largest of each of so many Blocks of x.
//
//go:noescape
func peaksAVX2(dst, x *float32, blocks int)

// sumExpAVX2 returns the sum of e^((l-most)*scale) over sixteen times n
// logits.
//
//go:noescape
func sumExpAVX2(x *float32, n int, most, scale float32) float64

func cpuid(leaf, sub uint32) (a, b, c, d uint32)

// xgetbv returns which registers the system saves.
func xgetbv() uint32

func hasAVX2() bool {
	const (
		fma, xsave, avx = 1 << 12, 1 << 27, 1 << 28 // of leaf 1
		avx2            = 1 << 5                    // of leaf 7
		saved           = 1<<1 | 1<<2               // the registers of both sizes
	)
	most, _, _, _ := cpuid(0, 0)
	if most < 7 {
		return false
	}
	_, _, c, _ := cpuid(1, 0)
	if c&(fma|xsave|avx) != fma|xsave|avx || xgetbv()&saved != saved {
		return false
	}
	_, b, _, _ := cpuid(7, 0)
	return b&avx2 != 0
}
