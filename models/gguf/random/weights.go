package random

import (
	"encoding/binary"
	"io"
	"math"
	"math/rand/v2"

	"bendi/models/gguf"
)

// weights reads as the stored values of a matrix without end, drawn evenly from
// an interval around 0 with a standard deviation.
type weights struct {
	random *rand.ChaCha8
	fill   func(w *weights) // draws the next block
	levels []byte           // the 65,536 values of F16 or F32, as stored
	scale  [2]byte          // of a block of Q8_0
	block  []byte
	left   []byte // of block, not yet read
	raw    [2 * perBlock]byte
}

const (
	perBlock = 4096 // values drawn at once
	q8Values = 32   // of a block of Q8_0, which a scale precedes
)

func newWeights(typ gguf.Type, deviation float64, random *rand.ChaCha8) *weights {
	w := &weights{random: random}
	reach := deviation * math.Sqrt(3) // of an even distribution
	switch typ {
	case gguf.Q8_0:
		binary.LittleEndian.PutUint16(w.scale[:], float16(reach/127))
		w.fill = (*weights).fillQ8
		w.block = make([]byte, perBlock/q8Values*(2+q8Values))
	case gguf.F16:
		for i := range 1 << 16 {
			w.levels = binary.LittleEndian.AppendUint16(w.levels, float16(level(i)*reach))
		}
		w.fill, w.block = (*weights).fill16, make([]byte, 2*perBlock)
	default:
		for i := range 1 << 16 {
			w.levels = binary.LittleEndian.AppendUint32(w.levels, math.Float32bits(float32(level(i)*reach)))
		}
		w.fill, w.block = (*weights).fill32, make([]byte, 4*perBlock)
	}
	return w
}

// level maps 0 to 65,535 evenly to -1 to 1.
func level(i int) float64 { return (float64(i) - 32767.5) / 32767.5 }

func (w *weights) Read(p []byte) (int, error) {
	if len(w.left) == 0 {
		w.fill(w)
		w.left = w.block
	}
	n := copy(p, w.left)
	w.left = w.left[n:]
	return n, nil
}

func (w *weights) fillQ8() {
	random := w.raw[:perBlock]
	w.random.Read(random)
	out := w.block[:0]
	for len(random) > 0 {
		out = append(out, w.scale[:]...)
		for _, b := range random[:q8Values] {
			out = append(out, max(b, 1)^0x80) // -127 to 127: quantized files have no -128
		}
		random = random[q8Values:]
	}
}

func (w *weights) fill16() {
	w.random.Read(w.raw[:])
	for i := range perBlock {
		at := 2 * int(binary.LittleEndian.Uint16(w.raw[2*i:]))
		copy(w.block[2*i:2*i+2], w.levels[at:])
	}
}

func (w *weights) fill32() {
	w.random.Read(w.raw[:])
	for i := range perBlock {
		at := 4 * int(binary.LittleEndian.Uint16(w.raw[2*i:]))
		copy(w.block[4*i:4*i+4], w.levels[at:])
	}
}

// constant reads as one number in F32 for ever.
type constant struct {
	number [4]byte
	at     int
}

func newConstant(x float32) *constant {
	c := &constant{}
	binary.LittleEndian.PutUint32(c.number[:], math.Float32bits(x))
	return c
}

func (c *constant) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = c.number[c.at%4]
		c.at++
	}
	return len(p), nil
}

var _ io.Reader = (*constant)(nil)

// float16 returns the nearest half-precision number, for numbers below 65504 in
// size.
func float16(x float64) uint16 {
	sign := uint16(0)
	if math.Signbit(x) {
		sign, x = 0x8000, -x
	}
	if x < 0x1p-14 { // subnormal: steps of 2^-24
		return sign | uint16(math.RoundToEven(x*0x1p24))
	}
	fraction, exponent := math.Frexp(x) // x = fraction * 2^exponent, fraction in [0.5, 1)
	// A mantissa that rounds up to 1024 carries into the exponent, as it should.
	return sign | uint16(exponent+14)<<10 + uint16(math.RoundToEven((fraction*2-1)*1024))
}
