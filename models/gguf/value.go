package gguf

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"slices"
)

// kind is the type of a metadata value as a file numbers it.
type kind uint32

const (
	kindUint8 kind = iota
	kindInt8
	kindUint16
	kindInt16
	kindUint32
	kindInt32
	kindFloat32
	kindBool
	kindString
	kindArray
	kindUint64
	kindInt64
	kindFloat64
)

var kindNames = [...]string{"uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "bool", "string", "array", "uint64", "int64", "float64"}

func (k kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return fmt.Sprintf("type %d", uint32(k))
}

// size is how many bytes a value of kind k takes; 0 where that varies and for
// a kind that is none.
func (k kind) size() int64 {
	switch k {
	case kindUint8, kindInt8, kindBool:
		return 1
	case kindUint16, kindInt16:
		return 2
	case kindUint32, kindInt32, kindFloat32:
		return 4
	case kindUint64, kindInt64, kindFloat64:
		return 8
	default:
		return 0
	}
}

// scalar returns the value of kind k in b, which has k.size() bytes.
func (k kind) scalar(b []byte) any {
	le := binary.LittleEndian
	switch k {
	case kindUint8:
		return b[0]
	case kindInt8:
		return int8(b[0])
	case kindBool:
		return b[0] != 0
	case kindUint16:
		return le.Uint16(b)
	case kindInt16:
		return int16(le.Uint16(b))
	case kindUint32:
		return le.Uint32(b)
	case kindInt32:
		return int32(le.Uint32(b))
	case kindFloat32:
		return math.Float32frombits(le.Uint32(b))
	case kindUint64:
		return le.Uint64(b)
	case kindInt64:
		return int64(le.Uint64(b))
	default:
		return math.Float64frombits(le.Uint64(b))
	}
}

// An Array is an array of a file's metadata: where it lies, not its elements,
// which may be hundreds of thousands. [File.Value] reads them.
type Array struct {
	// Elem is the type of the elements, such as string or int32.
	Elem string
	// Len is how many there are.
	Len int

	elem         kind
	offset, size int64
}

// values reads the elements of a: a []string, []int32 and so on.
func (a Array) values(r io.ReaderAt) (any, error) {
	section := io.NewSectionReader(r, a.offset, a.size)
	if a.elem == kindString {
		return readStrings(bufio.NewReaderSize(section, 64<<10), a.Len)
	}
	b := make([]byte, a.size)
	if _, err := io.ReadFull(section, b); err != nil {
		return nil, err
	}
	switch a.elem {
	case kindUint8:
		return b, nil
	case kindBool:
		out := make([]bool, len(b))
		for i := range b {
			out[i] = b[i] != 0
		}
		return out, nil
	case kindInt8:
		return numbers[int8](a.elem, b), nil
	case kindUint16:
		return numbers[uint16](a.elem, b), nil
	case kindInt16:
		return numbers[int16](a.elem, b), nil
	case kindUint32:
		return numbers[uint32](a.elem, b), nil
	case kindInt32:
		return numbers[int32](a.elem, b), nil
	case kindFloat32:
		return numbers[float32](a.elem, b), nil
	case kindUint64:
		return numbers[uint64](a.elem, b), nil
	case kindInt64:
		return numbers[int64](a.elem, b), nil
	default:
		return numbers[float64](a.elem, b), nil
	}
}

func numbers[T any](k kind, b []byte) []T {
	out := make([]T, 0, len(b)/int(k.size()))
	for one := range slices.Chunk(b, int(k.size())) {
		out = append(out, k.scalar(one).(T))
	}
	return out
}

func readStrings(r io.Reader, n int) ([]string, error) {
	out := make([]string, 0, n)
	var length [8]byte
	for range n {
		if _, err := io.ReadFull(r, length[:]); err != nil {
			return nil, err
		}
		b := make([]byte, binary.LittleEndian.Uint64(length[:]))
		if _, err := io.ReadFull(r, b); err != nil {
			return nil, err
		}
		out = append(out, string(b))
	}
	return out, nil
}
