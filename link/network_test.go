package link

import (
	"errors"
	"math/rand/v2"
	"sync"
	"time"
)

// A road is a connection in memory with the faults of a long line: every
// message takes its time, and one that is lost holds up those behind it.
type road struct {
	delay time.Duration // one way
	loss  float64       // share of messages that come late
	late  time.Duration // by so much

	once   sync.Once
	closed chan struct{}
	ends   [2]*roadEnd
}

type parcel struct {
	at time.Time
	b  []byte
}

type roadEnd struct {
	road    *road
	in, out chan parcel
	last    time.Time // when the latest message arrives
	random  *rand.Rand
}

var errRoad = errors.New("the road is closed")

func newRoad(delay time.Duration, loss float64, seed uint64) *road {
	r := &road{delay: delay, loss: loss, late: 2*delay + 50*time.Millisecond, closed: make(chan struct{})}
	a, b := make(chan parcel, 256), make(chan parcel, 256)
	r.ends[0] = &roadEnd{road: r, in: a, out: b, random: rand.New(rand.NewPCG(seed, 1))}
	r.ends[1] = &roadEnd{road: r, in: b, out: a, random: rand.New(rand.NewPCG(seed, 2))}
	return r
}

func (r *road) cut() { r.once.Do(func() { close(r.closed) }) }

func (e *roadEnd) Write(b []byte) error {
	at := time.Now().Add(e.road.delay)
	if e.random.Float64() < e.road.loss {
		at = at.Add(e.road.late)
	}
	if at.Before(e.last) {
		at = e.last
	}
	e.last = at
	select {
	case e.out <- parcel{at, append([]byte(nil), b...)}:
		return nil
	case <-e.road.closed:
		return errRoad
	}
}

func (e *roadEnd) Read() ([]byte, error) {
	select {
	case p := <-e.in:
		select {
		case <-time.After(time.Until(p.at)):
			return p.b, nil
		case <-e.road.closed:
		}
	case <-e.road.closed:
	}
	return nil, errRoad
}

func (e *roadEnd) Close() error {
	e.road.cut()
	return nil
}
