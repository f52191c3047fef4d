package filter

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"sync"
)

// A cache remembers what was made of texts, so that a conversation is not
// looked through again each turn. It holds no text: it knows texts by a hash
// that only this process can compute.
type cache struct {
	secret [16]byte
	size   int

	mu         sync.Mutex // guards what follows
	young, old map[cacheKey]*report
}

type cacheKey [16]byte

// leastCached is the size of a text, in bytes, from which on it is worth
// remembering.
const leastCached = 128

func newCache(size int) *cache {
	c := &cache{size: size, young: map[cacheKey]*report{}}
	rand.Read(c.secret[:])
	return c
}

// key tells apart what a report depends on.
func (c *cache) key(era uint64, f *field, history bool) cacheKey {
	h := sha256.New()
	head := append(c.secret[:], byte(f.kind), byte(len(f.texts)), 0)
	for i, is := range []bool{history, f.place.what == messageData, f.place.isSchema()} {
		if is {
			head[len(head)-1] |= 1 << i
		}
	}
	h.Write(binary.LittleEndian.AppendUint64(head, era))
	var b [1024]byte // a string is not written without a copy
	for _, t := range f.texts {
		for len(t) > 0 {
			n := copy(b[:], t)
			h.Write(b[:n])
			t = t[n:]
		}
	}
	return cacheKey(h.Sum(nil)[:16])
}

// get returns what was remembered, or nil.
func (c *cache) get(k cacheKey) *report {
	c.mu.Lock()
	defer c.mu.Unlock()
	if r := c.young[k]; r != nil {
		return r
	}
	r := c.old[k]
	if r != nil {
		c.put(k, r)
	}
	return r
}

// mostCached is how many outcomes a report may have that is remembered. Who has
// more than that found is not in a conversation.
const mostCached = 256

func (c *cache) add(k cacheKey, r *report) {
	if len(r.outcomes) > mostCached {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.put(k, r)
}

// put remembers r among the young. When they are half of what may be kept, they
// become the old, and the old are forgotten.
func (c *cache) put(k cacheKey, r *report) {
	if len(c.young) >= (c.size+1)/2 {
		c.old, c.young = c.young, make(map[cacheKey]*report)
	}
	c.young[k] = r
}
