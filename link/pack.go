package link

import (
	"bufio"
	"io"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// leastPacked is how long a body is that is compressed.
const leastPacked = 1 << 10

// mostWindow bounds what the compressed body of a request can have a relay
// keep.
const mostWindow = 1 << 20

var (
	packers = sync.Pool{New: func() any {
		z, _ := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(mostWindow), zstd.WithLowerEncoderMem(true))
		return z
	}}
	unpackers = sync.Pool{New: func() any {
		z, _ := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(mostWindow), zstd.WithDecoderLowmem(true))
		return z
	}}
)

// pack writes all of a body to w, compressed. No other body has to do with it.
func pack(w io.Writer, body io.Reader) error {
	z := packers.Get().(*zstd.Encoder)
	defer packers.Put(z)
	out := bufio.NewWriterSize(w, 4*chunk)
	z.Reset(out)
	_, err := io.Copy(z, body)
	if err == nil {
		err = z.Close()
	}
	z.Reset(nil)
	if err == nil {
		err = out.Flush()
	}
	return err
}

// An unpacked is a body as it was.
type unpacked struct{ z *zstd.Decoder }

func unpack(r io.Reader) (*unpacked, error) {
	z := unpackers.Get().(*zstd.Decoder)
	if err := z.Reset(r); err != nil {
		return nil, err
	}
	return &unpacked{z}, nil
}

func (u *unpacked) Read(p []byte) (int, error) { return u.z.Read(p) }

// Close is called once, when nobody reads any more.
func (u *unpacked) Close() {
	u.z.Reset(nil)
	unpackers.Put(u.z)
}
