package gguf_test

import (
	"bytes"
	"io"
	"math/rand/v2"
	"reflect"
	"runtime"
	"testing"

	"bendi/models/gguf"
)

// Whatever bytes a file has, Read does not panic and takes memory in
// proportion to them alone; what it accepts has every tensor inside the file
// and survives being written and read again.
func FuzzRead(f *testing.F) {
	small := model()
	small.tensors = small.tensors[3:] // the others would only make it slow
	f.Add(small.bytes(f))
	small = adapter()
	small.tensors = nil
	small.tensor("t.lora_a", gguf.F32, 2, 1)
	small.tensor("t.lora_b", gguf.F32, 1, 2)
	f.Add(small.bytes(f))
	f.Add(raw("GGUF", uint32(3), uint64(0), uint64(1), str("k"), uint32(9), uint32(8), uint64(3), str("a"), str(""), str("c")))
	f.Add(raw("GGUF", uint32(2), uint64(1), uint64(0), str("t"), uint32(1), uint64(2), uint32(0), uint64(0), make([]byte, 64)))
	f.Fuzz(func(t *testing.T, data []byte) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		file, err := gguf.Read(bytes.NewReader(data), int64(len(data)))
		runtime.ReadMemStats(&after)
		// 64 KiB of buffer, and a key of 14 bytes costs an entry of 48 and its
		// share of an index, each perhaps twice over for growing.
		if used, most := after.TotalAlloc-before.TotalAlloc, uint64(256<<10+32*len(data)); used > most {
			t.Errorf("took %d bytes for a file of %d, want at most %d", used, len(data), most)
		}
		if err != nil {
			return
		}
		for _, tensor := range file.Tensors {
			if tensor.Offset < 0 || tensor.Size < 0 || tensor.Offset+tensor.Size > int64(len(data)) {
				t.Errorf("%s lies at %d+%d in a file of %d", tensor.Name, tensor.Offset, tensor.Size, len(data))
			}
		}
		file.Summary()
		file.CheckModel()
		file.CheckAdapter(file)

		var again bytes.Buffer
		metadata, tensors := contents(t, file)
		if err := gguf.Write(&again, metadata, tensors); err != nil {
			t.Fatalf("accepted by Read, refused by Write: %v", err)
		}
		same(t, file, parse(t, again.Bytes()))
	})
}

// contents returns what file holds, to be written.
func contents(t *testing.T, file *gguf.File) (metadata []gguf.KeyValue, tensors []gguf.TensorData) {
	for _, kv := range file.Metadata {
		value, err := file.Value(kv.Key)
		if err != nil {
			t.Fatal(err)
		}
		metadata = append(metadata, gguf.KeyValue{Key: kv.Key, Value: value})
	}
	for i := range file.Tensors {
		tensor := &file.Tensors[i]
		tensors = append(tensors, gguf.TensorData{Name: tensor.Name, Type: tensor.Type, Dims: tensor.Dims, Data: file.Data(tensor)})
	}
	return metadata, tensors
}

// same fails t unless a and b hold the same metadata and tensors.
func same(t *testing.T, a, b *gguf.File) {
	t.Helper()
	metadata, tensors := contents(t, a)
	metadata2, tensors2 := contents(t, b)
	if len(metadata) != len(metadata2) || len(tensors) != len(tensors2) {
		t.Fatalf("%d entries and %d tensors, then %d and %d", len(metadata), len(tensors), len(metadata2), len(tensors2))
	}
	for i := range metadata {
		if metadata[i].Key != metadata2[i].Key || !equal(metadata[i].Value, metadata2[i].Value) {
			t.Errorf("%v, then %v", metadata[i], metadata2[i])
		}
	}
	for i := range tensors {
		x, y := tensors[i], tensors2[i]
		values, _ := io.ReadAll(x.Data)
		values2, _ := io.ReadAll(y.Data)
		if x.Name != y.Name || x.Type != y.Type || !reflect.DeepEqual(x.Dims, y.Dims) || !bytes.Equal(values, values2) {
			t.Errorf("tensor %s %s %v of %d bytes, then %s %s %v of %d", x.Name, x.Type, x.Dims, len(values), y.Name, y.Type, y.Dims, len(values2))
		}
	}
}

// equal is DeepEqual for which every NaN is one and the same.
func equal(a, b any) bool {
	if reflect.DeepEqual(a, b) {
		return true
	}
	x, y := reflect.ValueOf(a), reflect.ValueOf(b)
	if x.Type() != y.Type() {
		return false
	}
	switch x.Kind() {
	case reflect.Float32, reflect.Float64:
		return x.Float() != x.Float() && y.Float() != y.Float()
	case reflect.Slice:
		if x.Len() != y.Len() {
			return false
		}
		for i := range x.Len() {
			if !equal(x.Index(i).Interface(), y.Index(i).Interface()) {
				return false
			}
		}
		return true
	default:
		return false
	}
}

// What Write writes, Read reads back: the same values of every type in the
// same order, and the same bytes of every tensor.
func TestReadOfWriteIsTheSame(t *testing.T) {
	for seed := range uint64(200) {
		rnd := rand.New(rand.NewPCG(seed, 0))
		word := func() string {
			b := make([]byte, rnd.IntN(20))
			for i := range b {
				b[i] = byte(rnd.Uint32())
			}
			return string(b)
		}
		var metadata []gguf.KeyValue
		for i := range rnd.IntN(20) {
			values := []any{word(), rnd.IntN(2) == 0, uint8(rnd.Uint32()), int8(rnd.Uint32()), uint16(rnd.Uint32()), int16(rnd.Uint32()),
				rnd.Uint32(), int32(rnd.Uint32()), rnd.Uint64(), int64(rnd.Uint64()), rnd.Float32(), rnd.Float64()}
			value := values[rnd.IntN(len(values))]
			if rnd.IntN(3) == 0 {
				list := reflect.MakeSlice(reflect.SliceOf(reflect.TypeOf(value)), 0, 5)
				for range rnd.IntN(5) {
					list = reflect.Append(list, reflect.ValueOf(value))
				}
				value = list.Interface()
			}
			metadata = append(metadata, gguf.KeyValue{Key: "key." + string(rune('a'+i)), Value: value})
		}
		if rnd.IntN(2) == 0 {
			metadata = append(metadata, gguf.KeyValue{Key: "general.alignment", Value: uint32(1) << rnd.IntN(10)})
		}
		var tensors []gguf.TensorData
		var data [][]byte
		for i := range rnd.IntN(6) {
			dims := make([]uint64, rnd.IntN(5))
			n := 1
			for d := range dims {
				dims[d] = uint64(rnd.IntN(4))
				n *= int(dims[d])
			}
			b := make([]byte, 4*n)
			for j := range b {
				b[j] = byte(rnd.Uint32())
			}
			data = append(data, b)
			tensors = append(tensors, gguf.TensorData{Name: "tensor." + string(rune('a'+i)), Type: gguf.F32, Dims: dims, Data: bytes.NewReader(b)})
		}
		var file bytes.Buffer
		if err := gguf.Write(&file, metadata, tensors); err != nil {
			t.Fatal(err)
		}
		got := parse(t, file.Bytes())
		have, back := contents(t, got)
		if len(have) != len(metadata) || len(back) != len(tensors) {
			t.Fatalf("seed %d: %d entries and %d tensors, want %d and %d", seed, len(have), len(back), len(metadata), len(tensors))
		}
		for i := range metadata {
			if !reflect.DeepEqual(have[i], metadata[i]) {
				t.Errorf("seed %d: %#v, want %#v", seed, have[i], metadata[i])
			}
		}
		for i := range tensors {
			b, err := io.ReadAll(back[i].Data)
			if err != nil || back[i].Name != tensors[i].Name || !reflect.DeepEqual(back[i].Dims, tensors[i].Dims) || !bytes.Equal(b, data[i]) {
				t.Errorf("seed %d: tensor %d is %s %v, want %s %v", seed, i, back[i].Name, back[i].Dims, tensors[i].Name, tensors[i].Dims)
			}
		}
	}
}
