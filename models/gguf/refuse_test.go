package gguf_test

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"

	"bendi/models/gguf"
)

// raw writes a header by hand, the way no writer should.
func raw(values ...any) []byte {
	var b bytes.Buffer
	for _, v := range values {
		switch v := v.(type) {
		case string:
			b.WriteString(v)
		default:
			binary.Write(&b, binary.LittleEndian, v)
		}
	}
	return b.Bytes()
}

// str is a string as a file has it.
func str(s string) string { return string(raw(uint64(len(s)), s)) }

func TestRefuses(t *testing.T) {
	const u32, arr, strs = uint32(4), uint32(9), uint32(8)
	head := func(tensors, entries uint64) string { return string(raw("GGUF", uint32(3), tensors, entries)) }
	tensor := func(name string, typ uint32, offset uint64, dims ...uint64) string {
		return string(raw(str(name), uint32(len(dims)), dims, typ, offset))
	}
	filler := strings.Repeat("\x00", 4096)

	tests := []struct {
		title string
		data  []byte
		want  string
	}{
		{"nothing", nil, "the file is empty"},
		{"a Git LFS pointer", raw("version https://git-lfs.github.com/spec/v1\noid sha256:00"), "git lfs pull"},
		{"a web page", raw("\n<!DOCTYPE html><html>"), "web page"},
		{"safetensors", raw(uint64(300), `{"__metadata__":{}`, filler), "safetensors"},
		{"a zip", raw("PK\x03\x04", filler), "zip archive"},
		{"gzip", raw("\x1f\x8b", filler), "gzip"},
		{"an old GGML file", raw("tjgg", filler), "before 2023-08"},
		{"zeros", raw(filler), "begins with zeros"},
		{"text", raw("hello, world"), `begins with "hell", not with "GGUF"`},
		{"a magic cut short", raw("GG"), `begins with "GG"`},
		{"only a magic", raw("GGUF"), "the header needs 4 bytes at byte 4, the file has 4"},
		{"version 1", raw("GGUF", uint32(1), filler), "version 1"},
		{"version 4", raw("GGUF", uint32(4), filler), "version 4, versions 2 and 3 are known"},
		{"version 0", raw("GGUF", uint32(0), filler), "version 0"},
		{"big endian", raw("GGUF", uint32(3)<<24, filler), "big-endian"},
		{"more entries than fit", raw(head(0, 1<<40), filler), "claims 1099511627776 metadata entries and 0 tensors, but 4096 bytes follow"},
		{"more tensors than fit", raw(head(1<<63, 0), filler), "claims 0 metadata entries and 9223372036854775808 tensors"},
		{"an empty key", raw(head(0, 1), str(""), u32, u32, filler), `metadata key 1 of 1, before byte 32, is ""`},
		{"a key that is too long", raw(head(0, 1), str(strings.Repeat("k", 1025)), u32, u32, filler), "has 1025 bytes before byte 32, there can be 1024"},
		{"a key beyond the end", raw(head(0, 1), uint64(1<<63), filler), "a metadata key needs 9223372036854775808 bytes at byte 32, the file has 4128"},
		{"a key with a zero", raw(head(0, 1), str("a\x00b"), u32, u32, filler), `is "a\x00b"`},
		{"a key twice", raw(head(0, 2), str("k"), u32, u32, str("k"), u32, u32, filler), "key k is there twice"},
		{"an unknown value type", raw(head(0, 1), str("k"), uint32(13), filler), "k has the unknown type 13"},
		{"a bool of 2", raw(head(0, 1), str("k"), uint32(7), uint8(2), filler), "k is a bool but has the value 2"},
		{"a string beyond the end", raw(head(0, 1), str("k"), strs, uint64(1<<40), filler), "k needs 1099511627776 bytes"},
		{"an array of arrays", raw(head(0, 1), str("k"), arr, arr, uint64(1), filler), "array of arrays"},
		{"an array of unknown type", raw(head(0, 1), str("k"), arr, uint32(99), uint64(1), filler), "array of the unknown type 99"},
		{"an array beyond the end", raw(head(0, 1), str("k"), arr, u32, uint64(1<<62), filler), "k claims 4611686018427387904 elements of at least 4 bytes at byte 49, but 4096 bytes follow"},
		{"strings beyond the end", raw(head(0, 1), str("k"), arr, strs, uint64(513), filler), "k claims 513 elements of at least 8 bytes"},
		{"a string in an array beyond the end", raw(head(0, 1), str("k"), arr, strs, uint64(2), uint64(0), uint64(9999), filler), "k needs 9999 bytes at byte 65"},
		{"an alignment of 48", raw(head(0, 1), str("general.alignment"), u32, uint32(48), filler), `general.alignment is "48", it must be a power of two`},
		{"an alignment as text", raw(head(0, 1), str("general.alignment"), strs, str("32"), filler), `general.alignment is "32", it must be a power of two up to 1048576 as a uint32`},
		{"a tensor without a name", raw(head(1, 0), tensor("", 0, 0, 1), filler), `tensor 1 of 1, before byte 32, is ""`},
		{"a tensor name of 64 bytes", raw(head(1, 0), tensor(strings.Repeat("n", 64), 0, 0, 1), filler), "names have 1 to 63 bytes"},
		{"five axes", raw(head(1, 0), tensor("t", 0, 0, 1, 1, 1, 1, 1), filler), "tensor t has 5 axes before byte 37, there can be 4"},
		{"a tensor twice", raw(head(2, 0), tensor("t", 0, 0, 1), tensor("t", 0, 32, 1), filler), "tensor t is there twice"},
		{"an unknown tensor type", raw(head(1, 0), tensor("t", 77, 0, 1), filler), "tensor t, described before byte 57, has the unknown type 77; it may need a newer llama.cpp"},
		{"a removed tensor type", raw(head(1, 0), tensor("t", 31, 0, 1), filler), "has the type Q4_0_4_4, which llama.cpp does not read any more"},
		{"a row that is no whole block", raw(head(1, 0), tensor("t", 12, 0, 255), filler), "rows of 255 values, which the 256-value blocks of Q4_K do not divide"},
		{"too many values", raw(head(1, 0), tensor("t", 0, 0, 1<<32, 1<<32), filler), "more values than can be counted"},
		{"too many values beside none", raw(head(1, 0), tensor("t", 0, 0, 0, 1<<63), filler), "more values than can be counted"},
		{"too many bytes", raw(head(1, 0), tensor("t", 28, 0, 1<<31, 1<<31), filler), "more bytes than can be counted"},
		{"a tensor beyond the end", raw(head(1, 0), tensor("t", 0, 0, 2000), filler), "tensor t ends at byte 8064, the file has 4153"},
		{"an enormous tensor", raw(head(1, 0), tensor("t", 0, 0, 1<<30, 1<<29), filler), "tensor t ends at byte 2305843009213694048, the file has 4161"},
		{"an offset beyond the end", raw(head(1, 0), tensor("t", 0, 1<<63, 1), filler), "tensor t begins 9223372036854775808 bytes into the data"},
		{"tensors that overlap", raw(head(2, 0), tensor("t", 0, 0, 16), tensor("u", 0, 32, 16), filler), "tensor u begins 32 bytes into the data where 64 are expected"},
		{"a gap between tensors", raw(head(2, 0), tensor("t", 0, 0, 16), tensor("u", 0, 96, 16), filler), "tensor u begins 96 bytes into the data where 64 are expected"},
		{"an offset off the alignment", raw(head(2, 0), tensor("t", 0, 0, 1), tensor("u", 0, 4, 1), filler), "tensor u begins 4 bytes into the data where 32 are expected"},
	}
	for _, tt := range tests {
		t.Run(tt.title, func(t *testing.T) {
			_, err := gguf.Read(bytes.NewReader(tt.data), int64(len(tt.data)))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Read = %v, want %q in it", err, tt.want)
			}
		})
	}
}

func TestWriteRefuses(t *testing.T) {
	tests := []struct {
		title  string
		change func(d *draft)
		want   string
	}{
		{"a key twice", func(d *draft) { d.metadata = append(d.metadata, d.metadata[0]) }, "there twice"},
		{"a Go int", func(d *draft) { d.set("n", 1) }, "n is a int, which no file can hold"},
		{"nothing", func(d *draft) { d.set("n", nil) }, "which no file can hold"},
		{"an array by place", func(d *draft) { d.set("n", gguf.Array{}) }, "which no file can hold"},
		{"an odd alignment", func(d *draft) { d.set("general.alignment", uint32(3)) }, "power of two"},
		{"a tensor twice", func(d *draft) { d.tensors = append(d.tensors, d.tensors[0]) }, "there twice"},
		{"a name of 64 bytes", func(d *draft) { d.tensor(strings.Repeat("n", 64), gguf.F32, 1) }, "malformed"},
		{"half a block", func(d *draft) { d.tensor("t", gguf.Q8_0, 16) }, "rows of 16 values"},
		{"too few bytes", func(d *draft) {
			d.tensors = append(d.tensors, gguf.TensorData{Name: "t", Type: gguf.F32, Dims: []uint64{4}, Data: strings.NewReader("short")})
		}, "tensor t: wrote 5 of 16 bytes"},
	}
	for _, tt := range tests {
		t.Run(tt.title, func(t *testing.T) {
			d := model()
			tt.change(d)
			err := gguf.Write(new(bytes.Buffer), d.metadata, d.tensors)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Write = %v, want %q in it", err, tt.want)
			}
		})
	}
}
