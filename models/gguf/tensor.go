package gguf

import (
	"fmt"
	"math/bits"
)

// Limits of llama.cpp.
const (
	maxDims       = 4
	maxTensorName = 63 // bytes; ggml keeps names in 64 with a zero behind them
)

// A Tensor describes a tensor of a file. Its values stay in the file.
type Tensor struct {
	Name string
	Type Type
	// Dims are the numbers of values along each axis, the fastest first; there
	// are at most four. A tensor of no axis has one value.
	Dims []uint64
	// Offset is where the values begin, in bytes from the start of the file.
	Offset int64
	// Size is how many bytes they take.
	Size int64
}

// Dim returns the number of values along axis i: 1 where the tensor has no
// such axis.
func (t *Tensor) Dim(i int) uint64 {
	if i < len(t.Dims) {
		return t.Dims[i]
	}
	return 1
}

// Values returns how many values t has.
func (t *Tensor) Values() uint64 {
	n := uint64(1)
	for _, d := range t.Dims {
		n *= d
	}
	return n
}

// byteSize returns how many bytes a tensor of that type and shape takes, or
// why there can be none.
func byteSize(typ Type, dims []uint64) (int64, error) {
	if name, ok := removed[typ]; ok {
		return 0, fmt.Errorf("has the type %s, which llama.cpp does not read any more; convert the model again", name)
	}
	block, ok := types[typ]
	if !ok {
		return 0, fmt.Errorf("has the unknown type %d; it may need a newer llama.cpp", uint32(typ))
	}
	values := uint64(1)
	for _, d := range dims {
		hi, lo := bits.Mul64(values, d)
		if hi != 0 || lo >= 1<<63-1 || d >= 1<<63-1 {
			return 0, fmt.Errorf("has the shape %v, more values than can be counted", dims)
		}
		values = lo
	}
	row := uint64(1)
	if len(dims) > 0 {
		row = dims[0]
	}
	if row%block.values != 0 {
		return 0, fmt.Errorf("has rows of %d values, which the %d-value blocks of %s do not divide", row, block.values, block.name)
	}
	hi, size := bits.Mul64(values/block.values, block.bytes)
	if hi != 0 || size > 1<<62 {
		return 0, fmt.Errorf("has the shape %v, more bytes than can be counted", dims)
	}
	return int64(size), nil
}
