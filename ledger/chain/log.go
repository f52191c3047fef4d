package chain

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime/debug"
	"sync"
	"time"
)

// Options say where a [Log] writes and how.
type Options struct {
	Dir      string        // made if it is not there
	Key      []byte        // of the hashes; nil: none
	MaxFile  int64         // bytes after which another file is begun; 0: 64 MiB
	Retain   time.Duration // after which a file is removed; 0: never
	Interval time.Duration // until what was written is on the disk; 0: at once
	Queue    int           // lines that may wait to be written; 0: 10,000

	// Block has [Log.Reserve] refuse while lines cannot be written, so that none
	// is lost. Else the oldest of those that wait are, once there are too many.
	Block bool

	Log *slog.Logger // nil: nothing is logged

	testOnlyRetry time.Duration
	testOnlyDisk  func(*os.File) disk
}

// A disk is what a Log needs of an open file.
type disk interface {
	WriteAt(b []byte, at int64) (int, error)
	Truncate(size int64) error
	Sync() error
	Close() error
}

// ErrUnavailable is the error of a line that there is no place for.
var ErrUnavailable = errors.New("the ledger cannot keep more at the moment")

// A Log writes a chain:
//
//	writing --a write fails--> failing (it is tried again every second)
//	failing --all is written--> writing (a line says what was lost meanwhile)
//
// Its methods may be called concurrently.
type Log struct {
	Options
	wake    chan struct{}
	closing chan struct{}
	done    chan struct{}

	mu       sync.Mutex // guards what follows
	queue    []entry
	reserved int
	missed   lost // since the last line about it
	failing  error
	stats    Stats
	current  Head // durable

	// What follows belongs to the goroutine that writes.
	*sealer
	lock    *os.File
	head    *os.File
	headDue bool // it does not say yet what is durable
	file    disk
	name    string
	begun   time.Time // the file was
	base    int64     // bytes of the file that are on the disk
	buf     []byte    // lines behind them
	wrote   int       // of buf, what was written
	dirty   bool      // there may be half a line behind that
	since   time.Time // there is something that is not on the disk
	last    Head      // of buf
	durable Head
	started time.Time
	ours    map[string]time.Time // when the files were begun that this program has begun
	swept   time.Time            // old files were looked for
	spares  bool                 // it was said that some are kept which the clock says are too old
}

type entry struct {
	kind string
	data []byte
}

// Stats say what a Log has done.
type Stats struct {
	Written uint64 // lines, since the start
	Lost    uint64 // likewise, of those that were given
	Refused uint64 // likewise, by Reserve
	Waiting int    // lines to be written
	Failing bool
}

const (
	retryTime = time.Second
	sweepTime = time.Hour
	mostBuf   = 4 << 20 // bytes that are not on the disk, when it is time to bring them there
	closeTime = 2 * time.Second
)

// Open opens the chain in a folder for writing. It may be one that fails at
// first, unless Block is set.
func Open(o Options) (*Log, error) {
	o.MaxFile = cmp.Or(o.MaxFile, 64<<20)
	o.Queue = cmp.Or(o.Queue, 10_000)
	o.testOnlyRetry = cmp.Or(o.testOnlyRetry, retryTime)
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.testOnlyDisk == nil {
		o.testOnlyDisk = func(f *os.File) disk { return f }
	}
	l := &Log{Options: o, started: time.Now(), ours: make(map[string]time.Time), sealer: newSealer(o.Key), wake: make(chan struct{}, 1), closing: make(chan struct{}), done: make(chan struct{})}
	if err := l.step(false); err != nil {
		if o.Block {
			l.release()
			return nil, err
		}
		l.fail(err)
	}
	go l.run()
	return l, nil
}

// Reserve returns why a line to come could not be kept. Where it does not, one
// is to be given to Keep, or the place to Return.
func (l *Log) Reserve() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.Block {
		return nil
	}
	if l.failing != nil || len(l.queue)+l.reserved >= l.Queue {
		l.stats.Refused++
		l.miss(0, 1)
		return ErrUnavailable
	}
	l.reserved++
	return nil
}

// Return gives back a place that Reserve has made.
func (l *Log) Return() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.Block {
		l.reserved--
	}
}

// Keep writes a line that a place was reserved for. The data are JSON without
// line ends, and belong to the Log.
func (l *Log) Keep(kind string, data []byte) { l.add(kind, data, 1) }

// Add writes a line that no place was reserved for.
func (l *Log) Add(kind string, data []byte) { l.add(kind, data, 0) }

func (l *Log) add(kind string, data []byte, reserved int) {
	l.mu.Lock()
	if l.Block {
		l.reserved -= reserved
	} else if len(l.queue) >= l.Queue {
		l.queue = append(l.queue[:0], l.queue[1:]...)
		l.stats.Lost++
		l.miss(1, 0)
	}
	l.queue = append(l.queue, entry{kind, data})
	l.mu.Unlock()
	l.nudge()
}

// miss counts what is not kept. l.mu is held.
func (l *Log) miss(lines, refused uint64) {
	if l.missed.Lines+l.missed.Refused == 0 {
		l.missed.Since, l.missed.Why = time.Now().UTC(), "lines came faster than they could be written"
		if l.failing != nil {
			l.missed.Why = "the files could not be written"
		}
	}
	l.missed.Lines += lines
	l.missed.Refused += refused
}

func (l *Log) nudge() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// Stats says what the Log has done.
func (l *Log) Stats() Stats {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.stats
	s.Waiting, s.Failing = len(l.queue), l.failing != nil
	return s
}

// Head returns how much of the chain is on the disk.
func (l *Log) Head() Head {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.current
}

// Close writes what waits, and closes the files.
func (l *Log) Close() error {
	close(l.closing)
	<-l.done
	defer l.release()
	if l.failing == nil {
		return nil
	}
	return fmt.Errorf("%d lines are lost: %w", len(l.queue), l.failing)
}

// release gives the files free.
func (l *Log) release() {
	if l.file != nil {
		l.file.Close()
	}
	if l.head != nil {
		l.head.Close()
	}
	if l.lock != nil {
		l.lock.Close()
	}
}

// run writes until the Log is closed.
func (l *Log) run() {
	defer close(l.done)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		err := l.tryStep(false)
		switch {
		case err != nil:
			timer.Reset(l.testOnlyRetry)
			select {
			case <-timer.C:
			case <-l.closing:
				l.end()
				return
			}
			continue
		case len(l.buf) > 0 || l.headDue:
			timer.Reset(time.Until(l.since.Add(l.Interval)))
		default:
			timer.Reset(time.Until(l.swept.Add(sweepTime)))
		}
		select {
		case <-l.wake:
		case <-timer.C:
		case <-l.closing:
			l.end()
			return
		}
	}
}

// end brings everything to the disk, if that is to be had in time.
func (l *Log) end() {
	for begun := time.Now(); l.tryStep(true) != nil && time.Since(begun) < closeTime; {
		time.Sleep(min(100*time.Millisecond, l.testOnlyRetry))
	}
}

// tryStep makes a step, and tells of a change between writing and failing.
func (l *Log) tryStep(all bool) (err error) {
	defer func() {
		if p := recover(); p != nil { // nothing else would, in a goroutine
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
		l.fail(err)
	}()
	return l.step(all)
}

// fail notes whether the Log fails, and why.
func (l *Log) fail(err error) {
	l.mu.Lock()
	was, s, waiting := l.failing, l.stats, len(l.queue)
	l.failing = err
	l.current = l.durable
	l.mu.Unlock()
	then := "requests are refused meanwhile"
	if !l.Block {
		then = fmt.Sprintf("the last %d records are kept in memory meanwhile, and older ones are lost", l.Queue)
	}
	switch {
	case was == nil && err != nil:
		l.Log.Error("ledger: records cannot be written; "+then, "err", err, "waiting", waiting)
	case was != nil && err == nil:
		l.Log.Info("ledger: records are written again", "lost", s.Lost, "refused", s.Refused)
	}
}
