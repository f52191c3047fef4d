package chain

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// step brings the files one step on: it opens them, writes what waits, begins
// another where it is time to, and removes those that are too old. With all, it
// leaves nothing that is not on the disk.
func (l *Log) step(all bool) error {
	if l.file == nil {
		if err := l.begin(); err != nil {
			return err
		}
	}
	if err := l.flush(false); err != nil { // what has failed before
		return err
	}
	if err := l.write(l.take()); err != nil {
		return err
	}
	if err := l.flush(all); err != nil {
		return err
	}
	return l.sweep(time.Now())
}

// write writes a batch. What it does not come to goes back to the queue.
func (l *Log) write(batch []entry) (err error) {
	for i, e := range batch {
		if err = l.turn(time.Now()); err == nil && len(l.buf)-l.wrote >= mostBuf {
			err = l.flush(false)
		}
		if err != nil {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.queue = append(batch[i:len(batch):len(batch)], l.queue...)
			return err
		}
		l.append(e.kind, e.data)
	}
	return nil
}

// take takes what waits off the queue.
func (l *Log) take() []entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	batch := l.queue
	l.queue = nil
	if l.missed.Lines+l.missed.Refused > 0 {
		data, _ := json.Marshal(l.missed) // it can be
		l.missed = lost{}
		batch = append([]entry{{kindLost, data}}, batch...)
	}
	return batch
}

// append appends a line to buf.
func (l *Log) append(kind string, data []byte) {
	now := time.Now()
	if l.since.IsZero() {
		l.since = now
	}
	l.last.Seq++
	l.buf, l.last.Hash = l.appendLine(l.buf, l.last.Seq, now, l.last.Hash, kind, data)
	l.mu.Lock()
	l.stats.Written++
	l.mu.Unlock()
}

// tell appends a line of the chain's own.
func (l *Log) tell(kind string, about any) {
	data, _ := json.Marshal(about) // ours can be
	l.append(kind, data)
}

// flush writes buf, and brings it to the disk if it is time to.
func (l *Log) flush(all bool) error {
	if l.dirty {
		if err := l.file.Truncate(l.base + int64(l.wrote)); err != nil {
			return err
		}
		l.dirty = false
	}
	if len(l.buf) > l.wrote {
		if _, err := l.file.WriteAt(l.buf[l.wrote:], l.base+int64(l.wrote)); err != nil {
			l.dirty = l.file.Truncate(l.base+int64(l.wrote)) != nil
			return err
		}
		l.wrote = len(l.buf)
	}
	if len(l.buf) > 0 && (all || len(l.buf) >= mostBuf || time.Since(l.since) >= l.Interval) {
		if err := l.file.Sync(); err != nil {
			l.wrote = 0 // nobody knows what is there; all of it is written again
			return err
		}
		l.base += int64(len(l.buf))
		l.buf, l.wrote, l.since = l.buf[:0], 0, time.Time{}
		if cap(l.buf) > 2*mostBuf {
			l.buf = nil
		}
		l.durable, l.headDue = l.last, true
	}
	if l.headDue {
		if err := l.writeHead(); err != nil {
			return err
		}
		l.headDue = false
		if _, err := os.Stat(filepath.Join(l.Dir, l.name)); isMissing(err) {
			l.Log.Error("ledger: the file that is written was removed, and what was in it is lost", "file", l.name)
			return l.create(time.Now())
		}
	}
	return nil
}

// turn begins another file where the one there is has become too large, or is
// of another day.
func (l *Log) turn(now time.Time) error {
	if l.base+int64(len(l.buf)) < l.MaxFile && day(now) == day(l.begun) {
		return nil
	}
	if err := l.flush(true); err != nil {
		return err
	}
	return l.create(now)
}

func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }

// create begins a file behind the last line, which is on the disk.
func (l *Log) create(now time.Time) error {
	if err := l.newFile(now); err != nil {
		return err
	}
	return l.flush(true)
}

func (l *Log) newFile(now time.Time) error {
	name := fileName(l.last.Seq + 1)
	f, err := os.OpenFile(filepath.Join(l.Dir, name), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if l.file != nil {
		l.file.Close() // all of it is on the disk
	}
	l.file, l.name, l.begun, l.base = l.testOnlyDisk(f), name, now, 0
	l.ours[name] = now
	l.tell(kindOpen, opening{version, l.id})
	if err := syncDir(l.Dir); err != nil {
		l.Log.Error("ledger: a new file may not outlive a loss of power", "file", name, "err", err)
	}
	return nil
}

// sweep removes the files that are too old, once an hour. First a line that says
// so is on the disk.
func (l *Log) sweep(now time.Time) error {
	if now.Sub(l.swept) < sweepTime {
		return nil
	}
	l.swept = now
	if l.Retain <= 0 {
		return nil
	}
	if now.Sub(l.begun) > l.Retain {
		if err := l.turn(now); err != nil {
			return err
		}
	}
	files, err := l.closedFiles(now)
	if err != nil {
		return err
	}
	for _, f := range files {
		if f.err != nil {
			l.Log.Error("ledger: a file whose age is not known is kept", "file", f.name, "err", f.err)
			break
		}
		spared := !f.tooOld(l.Retain) && f.byClock > l.Retain
		if spared && !l.spares {
			l.Log.Warn("ledger: files are kept that are too old by the clock: it has passed over a time without any record, which counts for a week at most; look whether it is right",
				"file", f.name, "by_clock", f.byClock.Round(time.Hour), "by_records", f.age.Round(time.Hour))
		}
		if l.spares = spared; !f.tooOld(l.Retain) {
			break
		}
		var first uint64
		fmt.Sscanf(f.name, fileHead+"%d", &first)
		l.tell(kindRetired, retired{f.name, first, f.last.Seq, f.last.Hash})
		if err := l.flush(true); err != nil {
			return err
		}
		path := filepath.Join(l.Dir, f.name)
		if err := os.Remove(path); err != nil {
			return err
		}
		delete(l.ours, f.name)
		beside, _ := filepath.Glob(path + ".*")
		for _, path := range beside {
			os.Remove(path) // it can be made again of what is there
		}
		l.Log.Info("ledger: a file was removed because of its age", "file", f.name, "last", f.last.Time)
	}
	return nil
}
