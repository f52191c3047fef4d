package access

import (
	"net/netip"
	"sync"
	"time"
)

// mostAddresses is how many addresses a Brake remembers. With one more, up to half
// of them begin anew: whoever has so many addresses is not kept back by any.
const mostAddresses = 16 << 10

// A Brake slows those down who try keys: beyond so many wrong ones a minute, more
// from the same address are told to wait. It never looks at a key itself, and so
// keeps out nobody who has a right one, whoever else is behind the same address.
//
// An address may fail so many times at once, and then again as a minute goes by;
// of IPv6, all that are in a network of 64 bits are one. The zero Brake tells
// nobody to wait. It may be used concurrently.
type Brake struct {
	mu   sync.Mutex
	most int
	from map[netip.Prefix]*strikes
}

// strikes are what is remembered of an address.
type strikes struct {
	count float64   // failures that still count
	at    time.Time // as of then
	told  time.Time // somebody was told to wait, and it was noted
}

// A Strike is what a failure leads to.
type Strike struct {
	From netip.Prefix
	Wait time.Duration // 0: none; the failure is told as what it is
	Note bool          // it is one to be noted: of those that wait, the first of a minute
}

// Limit sets how many failures there may be in a minute; 0: any number.
func (b *Brake) Limit(most int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.most = most
}

// Fail notes a failure from an address.
func (b *Brake) Fail(addr netip.Addr) Strike {
	s := Strike{From: networkOf(addr), Note: true}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.most == 0 || !addr.IsValid() {
		return s
	}
	now, every := time.Now(), time.Minute/time.Duration(b.most)
	f := b.of(s.From, now, every)
	f.count = max(0, f.count-float64(now.Sub(f.at))/float64(every))
	f.at = now
	if f.count+1 <= float64(b.most) {
		f.count++
		return s
	}
	s.Wait = max(time.Duration((f.count+1-float64(b.most))*float64(every)), time.Millisecond)
	if s.Note = now.Sub(f.told) >= time.Minute; s.Note {
		f.told = now
	}
	return s
}

// of returns what is remembered of a network. b.mu is held.
func (b *Brake) of(from netip.Prefix, now time.Time, every time.Duration) *strikes {
	if f := b.from[from]; f != nil {
		return f
	}
	if b.from == nil {
		b.from = make(map[netip.Prefix]*strikes)
	}
	if len(b.from) >= mostAddresses {
		for p, f := range b.from {
			if float64(now.Sub(f.at)) >= f.count*float64(every) {
				delete(b.from, p)
			}
		}
		for p := range b.from { // many at once, so that not each new address costs a look at all
			if len(b.from) <= mostAddresses/2 {
				break
			}
			delete(b.from, p)
		}
	}
	f := &strikes{at: now}
	b.from[from] = f
	return f
}

// networkOf returns whose failures count together.
func networkOf(addr netip.Addr) netip.Prefix {
	addr = addr.Unmap().WithZone("")
	bits := addr.BitLen()
	if addr.Is6() {
		bits = 64
	}
	p, _ := addr.Prefix(bits)
	return p
}
