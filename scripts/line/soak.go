package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"bendi/link"
)

// soak has requests of every kind go over the line for long, and looks at each
// answer, and at what is left behind.
func soak(args []string) error {
	f := flag.NewFlagSet("soak", flag.ContinueOnError)
	l := &line{}
	lineFlags(f, l)
	f.Float64Var(&l.loss, "loss", 0.03, "share of packets lost, each way")
	span := f.Duration("for", 10*time.Minute, "that requests begin in")
	clients := f.Int("clients", 12, "that ask one after another")
	control := f.String("congestion", "cubic", "control of TCP at both sites")
	if err := f.Parse(args); err != nil {
		return err
	}
	w, err := newWorld(l, *control)
	if err != nil {
		return err
	}
	defer w.end()
	fmt.Printf("%v; %s; %d clients for %v\n\n", l, *control, *clients, *span)
	cmd, err := command(context.Background(), l, 0, plan{Dir: w.dir, Way: "soak", For: *span, Clients: *clients, Min: soakLinks, Max: soakLinks, Control: *control})
	if err != nil {
		return err
	}
	cmd.Stdout = os.Stdout
	err = cmd.Run()
	fmt.Println("\n" + w.sites.counts())
	return err
}

const (
	soakLinks = 32
	soakWarm  = 20 * time.Second // whose requests come before the first look
)

// A soaker asks, and counts.
type soaker struct {
	client http.RoundTripper
	base   string

	asked, left, bytes atomic.Int64
	mu                 sync.Mutex
	fault              error // the first
}

// soakA is what the site that asks does in a soak.
func soakA(p plan, e *link.Edge, base string) error {
	s := &soaker{client: e, base: base}
	fmt.Println("| after | requests | left midway | MiB | edge: goroutines | files | heap MiB | RSS MiB | relay: goroutines | files | heap MiB | RSS MiB |")
	fmt.Println("|---|---|---|---|---|---|---|---|---|---|---|---|")
	begin := time.Now()
	var states []state
	for i, span := range []time.Duration{soakWarm, p.For / 2, p.For / 2} {
		s.play(p.Clients, uint64(i), span)
		here, there, err := s.look(e)
		if err != nil {
			return err
		}
		fmt.Printf("| %v | %d | %d | %d | %v | %v |\n", time.Since(begin).Round(time.Second), s.asked.Load(), s.left.Load(), s.bytes.Load()>>20, here, there)
		states = append(states, here, there)
	}
	if s.fault != nil {
		return s.fault
	}
	for i, side := range []string{"edge", "relay"} {
		if err := states[i].grown(states[len(states)-2+i]); err != nil {
			return fmt.Errorf("the %s: %w", side, err)
		}
	}
	return nil
}

// play has clients ask for so long, and waits for their answers.
func (s *soaker) play(clients int, seed uint64, span time.Duration) {
	end := time.Now().Add(span)
	var all sync.WaitGroup
	for i := range clients {
		all.Go(func() {
			random := rand.New(rand.NewPCG(seed, uint64(i)))
			for time.Now().Before(end) {
				if err := s.ask(random); err != nil {
					s.mu.Lock()
					s.fault = errors.Join(s.fault, err)
					s.mu.Unlock()
					return
				}
			}
		})
	}
	all.Wait()
}

// An order is what a request of the soak asks for.
type order struct {
	body, pieces, size int
	pause              time.Duration
	leave              bool
}

var orders = []order{
	{body: 400, pieces: 50, size: 180, pause: 25 * time.Millisecond},
	{body: 400, pieces: 50, size: 180, pause: 25 * time.Millisecond, leave: true},
	{body: 0, pieces: 1, size: 1},
	{body: 200_000, pieces: 5, size: 300, pause: 100 * time.Millisecond},
	{body: 2_000, pieces: 16, size: 64 << 10},
	{body: 30_000, pieces: 200, size: 60, pause: 5 * time.Millisecond, leave: true},
}

// ask makes a request and compares the hash of its answer with what it has to
// be.
func (s *soaker) ask(random *rand.Rand) error {
	o := orders[random.IntN(len(orders))]
	body := make([]byte, o.body)
	for i := range body {
		body[i] = byte(random.Uint32())
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	query := url.Values{"pieces": {strconv.Itoa(o.pieces)}, "size": {strconv.Itoa(o.size)}, "pause": {o.pause.String()}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.base+"/soak?"+query.Encode(), bytes.NewReader(body))
	if err != nil {
		return err
	}
	s.asked.Add(1)
	res, err := s.client.RoundTrip(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	size := int64(o.pieces * o.size)
	if o.leave {
		size = random.Int64N(size)
		s.left.Add(1)
	}
	got, want := sha256.New(), sha256.New()
	n, err := io.Copy(got, io.LimitReader(res.Body, size))
	if err == nil && !o.leave {
		var more int64
		more, err = io.Copy(io.Discard, res.Body)
		n += more
	}
	s.bytes.Add(int64(o.body) + n)
	io.CopyN(want, answerTo(body), size)
	if err != nil || n != size || !bytes.Equal(got.Sum(nil), want.Sum(nil)) {
		return fmt.Errorf("of an answer of %d bytes %d came (%v), or others", size, n, err)
	}
	return nil
}

// answerTo returns the answer to a prompt, as long as anybody wants it.
func answerTo(prompt []byte) io.Reader { return rand.NewChaCha8(sha256.Sum256(prompt)) }

// soakAnswer is the upstream of a soak.
func soakAnswer(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // who asked has left
	}
	pieces, _ := strconv.Atoi(r.FormValue("pieces"))
	size, _ := strconv.Atoi(r.FormValue("size"))
	pause, _ := time.ParseDuration(r.FormValue("pause"))
	answer := answerTo(body)
	flush := http.NewResponseController(w)
	for range pieces {
		if _, err := io.CopyN(w, answer, int64(size)); err != nil || flush.Flush() != nil {
			return
		}
		time.Sleep(pause)
	}
}

// A state is what a process has at rest.
type state struct {
	Goroutines, Files int
	Heap, RSS         int64 // MiB
}

// look returns the states of both sites once nothing is under way.
func (s *soaker) look(e *link.Edge) (here, there state, err error) {
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
		if st := e.Status()[0]; st.Streams == 0 && st.Links == soakLinks {
			break
		} else if time.Now().After(deadline) {
			return here, there, fmt.Errorf("a minute after the last request there are %d streams and %d links, want none and %d", st.Streams, st.Links, soakLinks)
		}
	}
	time.Sleep(2 * time.Second)
	req, err := http.NewRequest(http.MethodGet, s.base+"/state", nil)
	if err != nil {
		return here, there, err
	}
	res, err := s.client.RoundTrip(req)
	if err != nil {
		return here, there, err
	}
	err = json.NewDecoder(res.Body).Decode(&there)
	res.Body.Close()
	time.Sleep(time.Second)
	return look(), there, err
}

// look returns the state of this process.
func look() state {
	runtime.GC()
	runtime.GC() // what pools have kept goes at the second
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	st := state{Goroutines: runtime.NumGoroutine(), Heap: int64(m.HeapAlloc) >> 20}
	if files, err := os.ReadDir("/proc/self/fd"); err == nil {
		st.Files = len(files)
	}
	var total, pages int64
	if text, err := os.ReadFile("/proc/self/statm"); err == nil {
		fmt.Sscan(string(text), &total, &pages)
		st.RSS = pages * int64(os.Getpagesize()) >> 20
	}
	return st
}

func (st state) String() string {
	return fmt.Sprintf("%d | %d | %d | %d", st.Goroutines, st.Files, st.Heap, st.RSS)
}

// grown says what there is more of at the end than there was at first, beyond
// what a connection or a pool makes.
func (st state) grown(end state) error {
	switch {
	case end.Goroutines > st.Goroutines+8:
		return fmt.Errorf("%d goroutines at first, %d at the end", st.Goroutines, end.Goroutines)
	case end.Files > st.Files+4:
		return fmt.Errorf("%d open files at first, %d at the end", st.Files, end.Files)
	case end.Heap > st.Heap+8:
		return fmt.Errorf("%d MiB on the heap at first, %d at the end", st.Heap, end.Heap)
	}
	return nil
}
