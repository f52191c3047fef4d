package link

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"testing"
	"time"
)

// A pair is an edge and a relay with links between them.
type pair struct {
	t           *testing.T
	edge, relay *Session
	delay       time.Duration
	loss        float64
	seed        uint64
	mu          sync.Mutex
	roads       []*road
	wg          sync.WaitGroup
}

func newPair(t *testing.T, delay time.Duration, loss float64, accept func(*Stream)) *pair {
	p := &pair{t: t, delay: delay, loss: loss, seed: 1}
	p.edge, p.relay = newSession(true, 2, nil), newSession(false, 2, accept)
	return p
}

// join adds links.
func (p *pair) join(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for range n {
		p.seed++
		seed := p.seed
		r := newRoad(p.delay, p.loss, seed)
		p.roads = append(p.roads, r)
		p.wg.Go(func() { p.edge.attach(r.ends[0], uint32(seed)) })
		p.wg.Go(func() { p.relay.attach(r.ends[1], uint32(seed)) })
	}
}

// cut ends the oldest n links.
func (p *pair) cut(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n = min(n, len(p.roads))
	for _, r := range p.roads[:n] {
		r.cut()
	}
	p.roads = p.roads[n:]
}

// close ends both sides and checks that nothing is left.
func (p *pair) close() {
	p.t.Helper()
	for name, s := range map[string]*Session{"edge": p.edge, "relay": p.relay} {
		s.mu.Lock()
		if n := len(s.streams); n > 0 || s.owed != 0 {
			p.t.Errorf("the %s still has %d streams and owes %d bytes", name, n, s.owed)
		}
		s.mu.Unlock()
	}
	p.edge.Close()
	p.relay.Close()
	p.wg.Wait()
}

// echo answers with the head and the body of the request.
func echo(st *Stream) {
	head, err := st.Head()
	if err == nil {
		err = st.Respond(head)
	}
	if err == nil {
		_, err = io.Copy(struct{ io.Writer }{st}, struct{ io.Reader }{st})
	}
	if err != nil {
		st.Reset(Broken)
		return
	}
	st.CloseWrite()
}

// exchange sends a body in pieces and returns what came back.
func exchange(s *Session, head, body []byte, piece int, pause time.Duration) (gotHead, gotBody []byte, err error) {
	st, err := s.open(head)
	if err != nil {
		return nil, nil, err
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() {
		for len(body) > 0 {
			n := min(piece, len(body))
			if _, err := st.Write(body[:n]); err != nil {
				return
			}
			body = body[n:]
			time.Sleep(pause)
		}
		st.CloseWrite()
	})
	if gotHead, err = st.Head(); err != nil {
		return nil, nil, err
	}
	gotBody, err = io.ReadAll(st)
	return gotHead, gotBody, err
}

func randomBytes(r *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// Whatever is lost, late, doubled or cut, what comes out is what went in, once
// and in order, and nothing is kept afterwards.
func TestStreamsArriveWhole(t *testing.T) {
	tests := []struct {
		name  string
		links int
		loss  float64
		cuts  time.Duration // between cuts of a link, which is soon replaced; 0: none
	}{
		{"one link", 1, 0, 0},
		{"one link that is cut", 1, 0.03, 700 * time.Millisecond},
		{"a clean line", 8, 0, 0},
		{"a bad line", 8, 0.1, 0},
		{"links are cut all the time", 6, 0.05, 60 * time.Millisecond},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				p := newPair(t, lineDelay, tt.loss, echo)
				p.join(tt.links)
				stop := make(chan struct{})
				var cutting sync.WaitGroup
				if tt.cuts > 0 {
					cutting.Go(func() {
						for {
							select {
							case <-stop:
								return
							case <-time.After(tt.cuts):
								p.cut(1)
								p.join(1)
							}
						}
					})
				}
				var wg sync.WaitGroup
				for i := range 40 {
					wg.Go(func() {
						r := rand.New(rand.NewPCG(uint64(i), 7))
						time.Sleep(time.Duration(r.IntN(1000)) * time.Millisecond)
						head := randomBytes(r, []int{1, 300, 40_000}[i%3])
						body := randomBytes(r, []int{0, 1, 700, 5_000, 400_000}[i%5])
						gotHead, gotBody, err := exchange(p.edge, head, body, max(len(body)/100, 1)+r.IntN(20_000), time.Duration(r.IntN(5))*time.Millisecond)
						if err != nil {
							t.Errorf("stream %d: %v", i, err)
						} else if !bytes.Equal(head, gotHead) || !bytes.Equal(body, gotBody) {
							t.Errorf("stream %d: %d+%d bytes went in, and %d+%d others came out", i, len(head), len(body), len(gotHead), len(gotBody))
						}
					})
				}
				wg.Wait()
				close(stop)
				cutting.Wait()
				time.Sleep(time.Second)
				p.close()
			})
		})
	}
}

// Without any link, streams wait as long as they may, and go on or end.
func TestBlackout(t *testing.T) {
	for _, dark := range []time.Duration{5 * time.Second, 30 * time.Second} {
		t.Run(fmt.Sprint(dark), func(t *testing.T) {
			if realTime {
				t.Skip("takes minutes where time is what it is")
			}
			inBubble(t, func(t *testing.T) {
				var broken sync.WaitGroup
				p := newPair(t, 80*time.Millisecond, 0, func(st *Stream) {
					broken.Go(func() { echo(st) })
				})
				p.join(8)
				var wg sync.WaitGroup
				for i := range 50 {
					wg.Go(func() {
						r := rand.New(rand.NewPCG(uint64(i), 8))
						body := randomBytes(r, 3000)
						_, got, err := exchange(p.edge, []byte("h"), body, 30, 20*time.Millisecond) // two seconds
						if dark < resumeFor {
							if err != nil || !bytes.Equal(got, body) {
								t.Errorf("stream %d: %d of %d bytes, %v", i, len(got), len(body), err)
							}
						} else if !errors.Is(err, ErrLost) {
							t.Errorf("stream %d: %v, want %v", i, err, ErrLost)
						}
					})
				}
				time.Sleep(time.Second)
				p.cut(8)
				time.Sleep(dark)
				p.join(8)
				wg.Wait()
				broken.Wait()
				time.Sleep(time.Second)
				p.close()
			})
		})
	}
}

// Who does not read holds up nobody else, and no more than the window is kept
// for it.
func TestSlowReader(t *testing.T) {
	if realTime {
		t.Skip("takes minutes where time is what it is")
	}
	inBubble(t, func(t *testing.T) {
		p := newPair(t, 80*time.Millisecond, 0, func(st *Stream) {
			st.Respond([]byte("h"))
			st.Write(make([]byte, 1<<20))
			st.CloseWrite()
		})
		p.join(4)
		slow, err := p.edge.open([]byte("slow"))
		if err != nil {
			t.Fatal(err)
		}
		slow.CloseWrite()
		begin := time.Now()
		if _, body, err := exchange(p.edge, []byte("quick"), nil, 1, 0); err != nil || len(body) != 1<<20 {
			t.Fatalf("the other stream: %d bytes, %v", len(body), err)
		}
		if took := time.Since(begin); took > 3*time.Second {
			t.Errorf("the other stream took %v", took)
		}
		time.Sleep(time.Minute)
		p.edge.mu.Lock()
		if slow.received != firstWindow {
			t.Errorf("%d bytes were sent to who reads nothing, want %d", slow.received, firstWindow)
		}
		p.edge.mu.Unlock()
		if body, err := io.ReadAll(slow); err != nil || len(body) != 1<<20 {
			t.Errorf("read %d bytes, %v", len(body), err)
		}
		time.Sleep(time.Second)
		p.close()
	})
}

// A reset reaches the other side at the speed of the line, and what is under
// way is dropped.
func TestReset(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		ended := make(chan time.Time, 1)
		p := newPair(t, 80*time.Millisecond, 0, func(st *Stream) {
			st.Respond([]byte("h"))
			for {
				if _, err := st.Write([]byte("word")); err != nil {
					if e := (ResetError{}); !errors.As(err, &e) || e.Code != Cancelled {
						t.Errorf("error = %v", err)
					}
					ended <- time.Now()
					return
				}
				time.Sleep(10 * time.Millisecond)
			}
		})
		p.join(4)
		st, _ := p.edge.open([]byte("h"))
		io.ReadFull(st, make([]byte, 100))
		st.Reset(Cancelled)
		begin := time.Now()
		if took := (<-ended).Sub(begin); took > 200*time.Millisecond {
			t.Errorf("it took %v to arrive", took)
		}
		if _, err := st.Read(make([]byte, 1)); !errors.Is(err, context.Canceled) {
			t.Errorf("reading after a reset: %v", err)
		}
		time.Sleep(time.Second)
		p.close()
	})
}

// On a line where one message in thirty comes late by more than a round trip,
// hardly a word does: the next one has brought it.
func TestWordsComeInTime(t *testing.T) {
	if realTime {
		t.Skip("counts milliseconds, of which a busy machine takes some")
	}
	const (
		streams, words = 15, 100
		pause          = 25 * time.Millisecond
	)
	inBubble(t, func(t *testing.T) {
		p := newPair(t, lineDelay, 0.03, func(st *Stream) {
			st.Respond([]byte("h"))
			for range words {
				stamp, _ := time.Now().MarshalBinary()
				st.Write(stamp)
				time.Sleep(pause)
			}
			st.CloseWrite()
		})
		p.join(32)
		var mu sync.Mutex
		late := 0
		var wg sync.WaitGroup
		for i := range streams {
			wg.Go(func() {
				time.Sleep(time.Duration(i) * 7 * time.Millisecond)
				st, err := p.edge.open([]byte("h"))
				if err != nil {
					t.Error(err)
					return
				}
				st.CloseWrite()
				stamp, _ := time.Now().MarshalBinary()
				for range words {
					var written time.Time
					if _, err := io.ReadFull(st, stamp); err != nil || written.UnmarshalBinary(stamp) != nil {
						t.Errorf("reading a word: %v", err)
						return
					}
					if time.Since(written) > lineDelay+2*pause {
						mu.Lock()
						late++
						mu.Unlock()
					}
				}
				io.Copy(io.Discard, st)
			})
		}
		wg.Wait()
		if share := float64(late) / (streams * words); share > 0.005 {
			t.Errorf("%d of %d words came later than with the second one after them", late, streams*words)
		}
		st := p.relay.Stats()
		if st.Repeated == 0 || st.Late == 0 {
			t.Errorf("nothing was late, or nothing came once more: %+v", st)
		}
		t.Logf("%d words late; %+v", late, st)
		time.Sleep(time.Second)
		p.close()
	})
}

// Of two links of a session with one number, the second is not let in.
func TestLinksHaveNumbersOfTheirOwn(t *testing.T) {
	s := newSession(true, 2, nil)
	defer s.Close()
	if _, err := s.join(newRoad(0, 0, 1).ends[0], 7); err != nil {
		t.Fatal(err)
	}
	if _, err := s.join(newRoad(0, 0, 1).ends[0], 7); err == nil {
		t.Error("two links have the number 7")
	}
}

// However much is lost, who leaves has ended the request at the other side a
// second and a round trip later.
func TestResetOnABadLine(t *testing.T) {
	if realTime {
		t.Skip("a busy machine takes its time as well")
	}
	inBubble(t, func(t *testing.T) {
		const streams = 100
		ended := make(chan struct{}, streams)
		p := newPair(t, lineDelay, 0.1, func(st *Stream) {
			st.Respond([]byte("h"))
			for {
				if _, err := st.Write([]byte("word")); err != nil {
					break
				}
				time.Sleep(25 * time.Millisecond)
			}
			ended <- struct{}{}
		})
		p.join(16)
		for i := range streams {
			st, err := p.edge.open([]byte("h"))
			if err != nil {
				t.Fatal(err)
			}
			io.ReadFull(st, make([]byte, 10))
			st.Reset(Cancelled)
			begin := time.Now()
			<-ended
			if took := time.Since(begin); took > time.Second+2*lineDelay {
				t.Errorf("stream %d: it took %v", i, took)
			}
		}
		time.Sleep(3 * time.Second)
		p.close()
	})
}
