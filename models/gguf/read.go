package gguf

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	magic            = "GGUF"
	defaultAlignment = 32
	maxAlignment     = 1 << 20
	maxKey           = 1024 // bytes; real ones have less than 100
	minEntry         = 8 + 1 + 4 + 1
	minTensor        = 8 + 1 + 4 + 4 + 8
)

// An Error says why a file is refused.
type Error struct {
	Path   string // empty after Read
	Offset int64  // where reading stopped, in bytes from the start of the file
	Reason string
}

func (e *Error) Error() string {
	path := e.Path
	if path == "" {
		path = "gguf"
	}
	return path + ": " + e.Reason
}

// A reader reads a header front to back. Its methods return zero values after
// the first error, which it keeps, so that callers check once per entry.
type reader struct {
	path   string
	size   int64
	offset int64 // of the next byte
	in     *bufio.Reader
	err    error
}

func read(r io.ReaderAt, size int64, path string) (*File, error) {
	in := &reader{path: path, size: size, in: bufio.NewReaderSize(io.NewSectionReader(r, 0, size), 64<<10)}
	f := &File{Path: path, Size: size, r: r, keys: map[string]int{}, tensors: map[string]int{}}
	tensors, entries := in.start(f)
	in.metadata(f, entries)
	in.tensors(f, tensors)
	if in.err != nil {
		return nil, in.err
	}
	return f, nil
}

// start reads what is before the metadata.
func (in *reader) start(f *File) (tensors, entries uint64) {
	if in.size == 0 {
		in.fail("the file is empty; download it again")
	}
	head, err := in.in.Peek(64)
	if err != nil && err != io.EOF {
		in.broken(err)
	}
	if in.err == nil && !strings.HasPrefix(string(head), magic) {
		in.fail("is not a GGUF file: %s", guess(head))
	}
	in.bytes(len(magic), "the header")
	switch f.Version = in.uint32("the header"); {
	case in.err != nil:
	case f.Version == 1:
		in.fail("is GGUF version 1, which llama.cpp does not read any more; convert the model again")
	case f.Version&0xffff == 0 && f.Version != 0:
		in.fail("is a big-endian GGUF file, this machine needs a little-endian one; convert the model again")
	case f.Version != 2 && f.Version != 3:
		in.fail("is GGUF version %d, versions 2 and 3 are known; it may need a newer Bendi", f.Version)
	}
	tensors = in.uint64("the header")
	entries = in.uint64("the header")
	if left := uint64(in.size - in.offset); in.err == nil && (tensors > left/minTensor || entries > left/minEntry) {
		in.fail("truncated or corrupted: claims %d metadata entries and %d tensors, but %d bytes follow; %s", entries, tensors, left, again)
	}
	return tensors, entries
}

func (in *reader) metadata(f *File, n uint64) {
	for i := uint64(0); i < n && in.err == nil; i++ {
		key := in.string("a metadata key", maxKey)
		if in.err != nil {
			return
		}
		if !validName(key) {
			in.fail("corrupted: metadata key %d of %d, before byte %d, is %.80q; %s", i+1, n, in.offset, key, again)
			return
		}
		if _, twice := f.keys[key]; twice {
			in.fail("corrupted: the metadata key %s is there twice, the second time before byte %d", key, in.offset)
			return
		}
		value := in.value(key)
		f.keys[key] = len(f.Metadata)
		f.Metadata = append(f.Metadata, KeyValue{key, value})
	}
}

func (in *reader) value(key string) any {
	switch k := kind(in.uint32(key)); {
	case in.err != nil:
		return nil
	case k == kindArray:
		return in.array(key)
	case k == kindString:
		return in.string(key, in.size)
	case k.size() == 0:
		in.fail("corrupted: %s has the unknown type %d before byte %d; %s", key, uint32(k), in.offset, again)
		return nil
	default:
		b := in.bytes(int(k.size()), key)
		if in.err != nil {
			return nil
		}
		if k == kindBool && b[0] > 1 {
			in.fail("corrupted: %s is a bool but has the value %d before byte %d; %s", key, b[0], in.offset, again)
			return nil
		}
		return k.scalar(b)
	}
}

// array passes over an array, checking that it is all there.
func (in *reader) array(key string) any {
	elem := kind(in.uint32(key))
	n := in.uint64(key)
	if in.err != nil {
		return nil
	}
	least := elem.size() // bytes an element takes
	switch {
	case elem == kindArray:
		in.fail("%s is an array of arrays, which llama.cpp does not read", key)
		return nil
	case elem == kindString:
		least = 8
	case least == 0:
		in.fail("corrupted: %s is an array of the unknown type %d before byte %d; %s", key, uint32(elem), in.offset, again)
		return nil
	}
	if left := uint64(in.size - in.offset); n > left/uint64(least) {
		in.fail("truncated or corrupted: %s claims %d elements of at least %d bytes at byte %d, but %d bytes follow; %s", key, n, least, in.offset, left, again)
		return nil
	}
	start := in.offset
	if elem == kindString {
		for range n {
			if !in.skipString(key) {
				return nil
			}
		}
	} else {
		in.skip(int64(n)*least, key)
	}
	return Array{Elem: elem.String(), Len: int(n), elem: elem, offset: start, size: in.offset - start}
}

func (in *reader) tensors(f *File, n uint64) {
	for i := uint64(0); i < n && in.err == nil; i++ {
		name := in.string("a tensor name", in.size)
		if in.err != nil {
			return
		}
		if !validName(name) || len(name) > maxTensorName {
			in.fail("corrupted: the name of tensor %d of %d, before byte %d, is %.80q; names have 1 to %d bytes; %s", i+1, n, in.offset, name, maxTensorName, again)
			return
		}
		if _, twice := f.tensors[name]; twice {
			in.fail("corrupted: the tensor %s is there twice, the second time before byte %d", name, in.offset)
			return
		}
		dims := in.uint32(name)
		if dims > maxDims {
			in.fail("corrupted: tensor %s has %d axes before byte %d, there can be %d; %s", name, dims, in.offset, maxDims, again)
			return
		}
		t := Tensor{Name: name, Dims: make([]uint64, dims)}
		for d := range t.Dims {
			t.Dims[d] = in.uint64(name)
		}
		t.Type = Type(in.uint32(name))
		offset := in.uint64(name)
		if in.err != nil {
			return
		}
		size, err := byteSize(t.Type, t.Dims)
		if err != nil {
			in.fail("tensor %s, described before byte %d, %v", name, in.offset, err)
			return
		}
		if offset > uint64(in.size) {
			in.fail("truncated: tensor %s begins %d bytes into the data, the file has %d bytes in all; %s", name, offset, in.size, again)
			return
		}
		t.Offset, t.Size = int64(offset), size // from the start of the data, until it is known
		f.tensors[name] = len(f.Tensors)
		f.Tensors = append(f.Tensors, t)
	}
	in.place(f)
}

// place makes the offsets of f's tensors count from the start of the file, and
// checks that they follow each other, aligned, to the end of the file.
func (in *reader) place(f *File) {
	align := in.alignment(f)
	if in.err != nil {
		return
	}
	start := pad(in.offset, align)
	next := int64(0)
	for i := range f.Tensors {
		t := &f.Tensors[i]
		if t.Offset != next {
			in.fail("corrupted: tensor %s begins %d bytes into the data where %d are expected: tensors overlap or leave a gap; %s", t.Name, t.Offset, next, again)
			return
		}
		if t.Size > in.size || start+next+t.Size > in.size {
			in.fail("truncated: tensor %s ends at byte %d, the file has %d; %s", t.Name, uint64(start)+uint64(next)+uint64(t.Size), in.size, again)
			return
		}
		t.Offset += start
		next = pad(next+t.Size, align)
	}
}

func (in *reader) alignment(f *File) int64 {
	i, ok := f.keys[alignmentKey]
	if !ok || in.err != nil {
		return defaultAlignment
	}
	align, ok := f.Metadata[i].Value.(uint32)
	if !ok || align == 0 || align&(align-1) != 0 || align > maxAlignment {
		have := fmt.Sprint(f.Metadata[i].Value)
		in.fail("corrupted: %s is %.40q, it must be a power of two up to %d as a uint32; %s", alignmentKey, have, maxAlignment, again)
		return defaultAlignment
	}
	return int64(align)
}

const (
	alignmentKey = "general.alignment"
	again        = "download it again and compare its SHA-256"
)

func pad(n, align int64) int64 { return (n + align - 1) &^ (align - 1) }

// validName reports whether s can name a key or a tensor: some UTF-8 text
// without control characters. llama.cpp would cut it at a zero, and errors
// show it.
func validName(s string) bool {
	return s != "" && utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl)
}

// fail keeps the first error.
func (in *reader) fail(format string, args ...any) {
	if in.err == nil {
		in.err = &Error{in.path, in.offset, fmt.Sprintf(format, args...)}
	}
}

// need fails unless n bytes of what are left.
func (in *reader) need(n uint64, what string) bool {
	if left := uint64(in.size - in.offset); in.err == nil && n > left {
		in.fail("truncated: %s needs %d bytes at byte %d, the file has %d; %s", what, n, in.offset, in.size, again)
	}
	return in.err == nil
}

// broken fails because the file could not be read, or has become shorter.
func (in *reader) broken(err error) {
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	if in.err == nil {
		in.err = fmt.Errorf("%s: reading at byte %d: %w", (&File{Path: in.path}).name(), in.offset, err)
	}
}

// bytes returns the next n bytes of what. They are good until the next read.
// n must be small.
func (in *reader) bytes(n int, what string) []byte {
	if !in.need(uint64(n), what) {
		return nil
	}
	b, err := in.in.Peek(n)
	if err != nil {
		in.broken(err)
		return nil
	}
	in.in.Discard(n)
	in.offset += int64(n)
	return b
}

func (in *reader) uint32(what string) uint32 {
	if b := in.bytes(4, what); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

func (in *reader) uint64(what string) uint64 {
	if b := in.bytes(8, what); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

// string reads a string of up to limit bytes.
func (in *reader) string(what string, limit int64) string {
	n := in.uint64(what)
	if in.err == nil && n > uint64(limit) && n <= uint64(in.size-in.offset) {
		in.fail("corrupted: %s has %d bytes before byte %d, there can be %d; %s", what, n, in.offset, limit, again)
	}
	if !in.need(n, what) {
		return ""
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(in.in, b); err != nil {
		in.broken(err)
		return ""
	}
	in.offset += int64(n)
	return string(b)
}

func (in *reader) skipString(what string) bool {
	n := in.uint64(what)
	if !in.need(n, what) {
		return false
	}
	return in.skip(int64(n), what)
}

func (in *reader) skip(n int64, what string) bool {
	if !in.need(uint64(n), what) {
		return false
	}
	for n > 0 && in.err == nil { // Discard counts in int
		part := int(min(n, 1<<30))
		if _, err := in.in.Discard(part); err != nil {
			in.broken(err)
			return false
		}
		n -= int64(part)
		in.offset += int64(part)
	}
	return in.err == nil
}
