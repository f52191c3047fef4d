package main

import (
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// A line is what happens to packets on their way, in each direction alike.
type line struct {
	name          string // of the sites: NAME-a and NAME-b
	delay, jitter time.Duration
	loss          float64 // share of packets
	burst         float64 // of them in a row, in the mean
	rate          float64 // Mbit/s
	queue         time.Duration

	mu sync.Mutex // guards loss, which may change
}

func (l *line) String() string {
	return fmt.Sprintf("%v one way, %v jitter, %.1f %% lost (%.1f in a row), %.0f Mbit/s, queue %v", l.delay, l.jitter, 100*l.loss, l.burst, l.rate, l.queue)
}

// site is the name of a site.
func (l *line) site(n int) string { return l.name + "-" + string("ab"[n]) }

func (l *line) setLoss(share float64) {
	l.mu.Lock()
	l.loss = share
	l.mu.Unlock()
}

func (l *line) share() float64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.loss
}

// blackout has everything lost for a while.
func (l *line) blackout(after, span time.Duration) {
	time.Sleep(after)
	share := l.share()
	l.setLoss(1)
	time.Sleep(span)
	l.setLoss(share)
}

// A count is what has become of the packets of a direction.
type count struct{ carried, lost, full atomic.Int64 }

type packet struct {
	at   time.Time
	data []byte
}

// carry brings packets from one end to the other, until reading fails.
func (l *line) carry(from io.Reader, to io.Writer, seed uint64, n *count) {
	random := rand.New(rand.NewPCG(seed, 1))
	onItsWay := make(chan packet, 1<<16)
	go func() {
		for p := range onItsWay {
			time.Sleep(time.Until(p.at))
			to.Write(p.data) // of a site that is gone, nobody minds
		}
	}()
	defer close(onItsWay)
	var free, last time.Time // when the line is free, and the latest packet there
	losing := false
	buf := make([]byte, 1<<16)
	for {
		size, err := from.Read(buf)
		if err != nil {
			return
		}
		now := time.Now()
		if losing = l.loses(losing, random); losing {
			n.lost.Add(1)
			continue
		}
		if free.Before(now) {
			free = now
		}
		if free.Sub(now) > l.queue {
			n.full.Add(1)
			continue
		}
		free = free.Add(time.Duration(float64(8*size) / l.rate * float64(time.Microsecond)))
		at := free.Add(l.delay)
		if l.jitter > 0 {
			at = at.Add(time.Duration(random.Int64N(int64(l.jitter))))
		}
		if at.Before(last) {
			at = last
		}
		last = at
		n.carried.Add(1)
		onItsWay <- packet{at, append([]byte(nil), buf[:size]...)}
	}
}

// loses decides about a packet, after one that was lost or was not. The share
// that is lost is the same for every burst.
func (l *line) loses(before bool, random *rand.Rand) bool {
	share, burst := l.share(), max(l.burst, 1)
	switch {
	case share == 0:
		return false
	case burst == 1:
		return random.Float64() < share
	case before:
		return random.Float64() >= 1/burst
	}
	return random.Float64() < share/(1-share)/burst
}
