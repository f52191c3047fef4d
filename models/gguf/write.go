package gguf

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
)

// A TensorData is a tensor to be written.
type TensorData struct {
	Name string
	Type Type
	Dims []uint64
	// Data is read for exactly as many bytes as Type and Dims ask for.
	Data io.Reader
}

// Write writes a GGUF file of version 3 to w: what Read then reads has the same
// metadata and tensors in the same order. A value of metadata is a bool,
// string, number of a definite size such as uint32, or a slice of one of
// these. It refuses what Read would refuse.
func Write(w io.Writer, metadata []KeyValue, tensors []TensorData) error {
	var head bytes.Buffer
	head.WriteString(magic)
	put(&head, uint32(3), uint64(len(tensors)), uint64(len(metadata)))

	align := int64(defaultAlignment)
	seen := map[string]bool{}
	for _, kv := range metadata {
		if !validName(kv.Key) || len(kv.Key) > maxKey || seen[kv.Key] {
			return fmt.Errorf("writing GGUF: the key %.80q is malformed or there twice", kv.Key)
		}
		seen[kv.Key] = true
		if kv.Key == alignmentKey {
			a, ok := kv.Value.(uint32)
			if !ok || a == 0 || a&(a-1) != 0 || a > maxAlignment {
				return fmt.Errorf("writing GGUF: %s is %v, it must be a power of two as a uint32", kv.Key, kv.Value)
			}
			align = int64(a)
		}
		put(&head, kv.Key)
		if err := putValue(&head, kv.Value); err != nil {
			return fmt.Errorf("writing GGUF: %s %w", kv.Key, err)
		}
	}

	offset := int64(0)
	sizes := make([]int64, len(tensors))
	clear(seen)
	for i, t := range tensors {
		if !validName(t.Name) || len(t.Name) > maxTensorName || len(t.Dims) > maxDims || seen[t.Name] {
			return fmt.Errorf("writing GGUF: tensor %.80q of %d axes is malformed or there twice", t.Name, len(t.Dims))
		}
		seen[t.Name] = true
		size, err := byteSize(t.Type, t.Dims)
		if err != nil {
			return fmt.Errorf("writing GGUF: tensor %s %w", t.Name, err)
		}
		sizes[i] = size
		put(&head, t.Name, uint32(len(t.Dims)), t.Dims, uint32(t.Type), uint64(offset))
		offset = pad(offset+size, align)
	}

	if len(tensors) > 0 {
		head.Write(make([]byte, pad(int64(head.Len()), align)-int64(head.Len())))
	}
	if _, err := head.WriteTo(w); err != nil {
		return fmt.Errorf("writing GGUF: %w", err)
	}
	zeros := make([]byte, align)
	for i, t := range tensors {
		if n, err := io.CopyN(w, t.Data, sizes[i]); err != nil {
			return fmt.Errorf("writing GGUF: tensor %s: wrote %d of %d bytes: %w", t.Name, n, sizes[i], err)
		}
		if _, err := w.Write(zeros[:pad(sizes[i], align)-sizes[i]]); err != nil {
			return fmt.Errorf("writing GGUF: %w", err)
		}
	}
	return nil
}

func putValue(b *bytes.Buffer, value any) error {
	switch v := value.(type) {
	case string:
		put(b, uint32(kindString), v)
	case []string:
		put(b, uint32(kindArray), uint32(kindString), uint64(len(v)))
		for _, s := range v {
			put(b, s)
		}
	default:
		k, n, array := kindOf(value)
		switch {
		case k == kindArray:
			return fmt.Errorf("is a %T, which no file can hold", value)
		case array:
			put(b, uint32(kindArray), uint32(k), uint64(n), value)
		default:
			put(b, uint32(k), value)
		}
	}
	return nil
}

// kindOf returns the kind of a number or bool, or that of the elements of a
// slice and their number; kindArray for everything else.
func kindOf(value any) (k kind, n int, array bool) {
	switch v := value.(type) {
	case bool:
		return kindBool, 1, false
	case uint8:
		return kindUint8, 1, false
	case int8:
		return kindInt8, 1, false
	case uint16:
		return kindUint16, 1, false
	case int16:
		return kindInt16, 1, false
	case uint32:
		return kindUint32, 1, false
	case int32:
		return kindInt32, 1, false
	case float32:
		return kindFloat32, 1, false
	case uint64:
		return kindUint64, 1, false
	case int64:
		return kindInt64, 1, false
	case float64:
		return kindFloat64, 1, false
	case []bool:
		return kindBool, len(v), true
	case []uint8:
		return kindUint8, len(v), true
	case []int8:
		return kindInt8, len(v), true
	case []uint16:
		return kindUint16, len(v), true
	case []int16:
		return kindInt16, len(v), true
	case []uint32:
		return kindUint32, len(v), true
	case []int32:
		return kindInt32, len(v), true
	case []float32:
		return kindFloat32, len(v), true
	case []uint64:
		return kindUint64, len(v), true
	case []int64:
		return kindInt64, len(v), true
	case []float64:
		return kindFloat64, len(v), true
	default:
		return kindArray, 0, false
	}
}

// put appends values as a file holds them, strings with their length.
func put(b *bytes.Buffer, values ...any) {
	for _, v := range values {
		if s, ok := v.(string); ok {
			put(b, uint64(len(s)))
			b.WriteString(s)
			continue
		}
		// A number, a bool or a slice of them: there is nothing to fail.
		binary.Write(b, binary.LittleEndian, v)
	}
}
