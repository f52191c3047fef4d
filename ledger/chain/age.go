package chain

import (
	"path/filepath"
	"slices"
	"time"
)

// longestGap is what a time without any line counts for at the most. Whether it
// was so long nobody knows: the clock may have been wrong, and one that jumps a
// year ahead must not have all lines removed at once.
const longestGap = 7 * 24 * time.Hour

// A closed is a file that is no longer written.
type closed struct {
	name    string
	last    Line
	age     time.Duration // of its last line, as the lines after it tell
	byClock time.Duration // likewise, as the clock does
	err     error         // why that is not known
}

// closedFiles returns the files that are no longer written, from the oldest, and
// how old they are: from each line to the next counts what their times say, but
// for gaps that are too long. Of files that this program has begun it knows better.
func (l *Log) closedFiles(now time.Time) ([]closed, error) {
	names, err := Files(l.Dir)
	if err != nil {
		return nil, err
	}
	var all []closed
	age := now.Sub(l.started) // of next, by the monotonic clock where this program has written
	next := l.started         // when the first line after a file was written
	earliest := now           // likewise, or a line after that which says that it was earlier
	for i := len(names) - 1; i >= 0; i-- {
		f := closed{name: names[i]}
		path := filepath.Join(l.Dir, f.name)
		if f.last, f.err = lastOf(path); f.err == nil {
			if f.last.Time.Before(earliest) {
				earliest = f.last.Time
			}
			age += gap(f.last.Time, next)
			f.age, f.byClock = age, now.Sub(earliest)
			var first time.Time
			if first, f.err = firstOf(path); f.err == nil {
				last := f.last.Time
				if last.After(next) { // by this program, whose time is counted already
					last = next
				}
				age, next = age+gap(first, last), first
				if begun, ours := l.ours[f.name]; ours {
					age = now.Sub(begun)
				}
			}
		}
		if f.name != l.name {
			all = append(all, f)
		}
	}
	slices.Reverse(all)
	return all, nil
}

// tooOld reports whether a file is to be removed. What the clock says has to agree
// with what the lines do.
func (f *closed) tooOld(retain time.Duration) bool { return f.age > retain && f.byClock > retain }

// gap returns how much the time between two lines counts for.
func gap(from, to time.Time) time.Duration {
	return max(0, min(to.Sub(from), longestGap))
}

// firstOf returns when the first line of a file was written.
func firstOf(path string) (time.Time, error) {
	for l, err := range LinesOf(path, 0) {
		return l.Time, err
	}
	return time.Time{}, errEmpty
}
