package gguf

import (
	"fmt"
	"io"
	"os"
	"strings"
)

// A File is the header of a GGUF file.
type File struct {
	// Path is the name the file was opened by; empty after Read.
	Path string
	// Size is that of the whole file, in bytes.
	Size int64
	// Version is that of the format, 2 or 3.
	Version uint32
	// Metadata are the keys and values in the order of the file. A value is a
	// bool, string, or number of the size the file gives it, or an Array.
	Metadata []KeyValue
	// Tensors are those of this file, in its order.
	Tensors []Tensor

	r       io.ReaderAt
	closer  io.Closer
	keys    map[string]int // index into Metadata
	tensors map[string]int // index into Tensors
}

// A KeyValue is one entry of a file's metadata.
type KeyValue struct {
	Key   string
	Value any
}

// Open opens the file at path and reads its header. The file stays open for
// its arrays and tensors until Close.
func Open(path string) (*File, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	f, err := openFile(file, path)
	if err != nil {
		file.Close()
		return nil, err
	}
	f.closer = file
	return f, nil
}

func openFile(file *os.File, path string) (*File, error) {
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: is not a regular file; name the .gguf file itself", path)
	}
	return read(file, info.Size(), path)
}

// Read reads the header of the GGUF file of size bytes that r holds. The File
// keeps r.
func Read(r io.ReaderAt, size int64) (*File, error) { return read(r, size, "") }

// Close closes the file if Open opened it.
func (f *File) Close() error {
	if f.closer == nil {
		return nil
	}
	return f.closer.Close()
}

// Value returns the value of key, and for an array its elements as a slice. It
// is nil when the file has no such key.
func (f *File) Value(key string) (any, error) {
	i, ok := f.keys[key]
	if !ok {
		return nil, nil
	}
	a, ok := f.Metadata[i].Value.(Array)
	if !ok {
		return f.Metadata[i].Value, nil
	}
	v, err := a.values(f.r)
	if err != nil {
		return nil, fmt.Errorf("%s: reading %s: %w", f.name(), key, err)
	}
	return v, nil
}

// Array returns the array that key has.
func (f *File) Array(key string) (a Array, ok bool) { return get[Array](f, key) }

// String returns the text that key has.
func (f *File) String(key string) (s string, ok bool) { return get[string](f, key) }

// Bool returns the truth that key has.
func (f *File) Bool(key string) (b, ok bool) { return get[bool](f, key) }

// Uint returns the whole number that key has, of whatever size and sign; ok is
// false for one below zero.
func (f *File) Uint(key string) (n uint64, ok bool) {
	i, has := f.keys[key]
	if !has {
		return 0, false
	}
	switch v := f.Metadata[i].Value.(type) {
	case uint8:
		return uint64(v), true
	case uint16:
		return uint64(v), true
	case uint32:
		return uint64(v), true
	case uint64:
		return v, true
	case int8:
		return uint64(v), v >= 0
	case int16:
		return uint64(v), v >= 0
	case int32:
		return uint64(v), v >= 0
	case int64:
		return uint64(v), v >= 0
	default:
		return 0, false
	}
}

// Float returns the fraction that key has, of either size.
func (f *File) Float(key string) (x float64, ok bool) {
	if x, ok := get[float32](f, key); ok {
		return float64(x), true
	}
	return get[float64](f, key)
}

func get[T any](f *File, key string) (v T, ok bool) {
	if i, has := f.keys[key]; has {
		v, ok = f.Metadata[i].Value.(T)
	}
	return v, ok
}

// Tensor returns the tensor of that name, nil if there is none.
func (f *File) Tensor(name string) *Tensor {
	if i, ok := f.tensors[name]; ok {
		return &f.Tensors[i]
	}
	return nil
}

// Data returns the bytes of t, which must be a tensor of f.
func (f *File) Data(t *Tensor) *io.SectionReader {
	return io.NewSectionReader(f.r, t.Offset, t.Size)
}

// name is how errors call the file.
func (f *File) name() string {
	if f.Path == "" {
		return "gguf"
	}
	return f.Path
}

// architecture returns general.architecture.
func (f *File) architecture() string {
	arch, _ := f.String("general.architecture")
	return strings.TrimSpace(arch)
}
