package experiment

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"syscall"
	"time"
)

// A line is a line of an experiment's file. It has one thing that happened.
type line struct {
	State       *change      `json:"state,omitempty"`
	Observation *Observation `json:"request,omitempty"`
	Score       *Score       `json:"feedback,omitempty"`
	Vote        *Vote        `json:"vote,omitempty"`
	Excluded    *excluded    `json:"excluded,omitempty"`
}

// A change of an experiment's state.
type change struct {
	At      time.Time      `json:"at"`
	What    string         `json:"what"`              // start, weights, arm_stopped, stop
	Why     string         `json:"why,omitempty"`     // in words
	By      string         `json:"by,omitempty"`      // configuration, operator or guard
	Print   string         `json:"plan,omitempty"`    // of start
	Weights map[string]int `json:"weights,omitempty"` // of start and weights
	Arm     string         `json:"arm,omitempty"`     // of arm_stopped
	Guard   string         `json:"guard,omitempty"`   // likewise
	Winner  string         `json:"winner,omitempty"`  // of stop
}

// excluded has how many requests did not count since the start, by why.
type excluded struct {
	At     time.Time      `json:"at"`
	Counts map[string]int `json:"counts"`
}

// A journal is an experiment's file: JSON, a line for each thing that happened,
// which are only ever added to.
//
// A line is written at once, so that it outlives the program. It is on the disk
// after [syncEvery] at most, and a change of state before it is acted on.
type journal struct {
	syncing sync.Mutex // held while the disk is waited for; comes before mu

	mu    sync.Mutex // guards what follows
	file  *os.File
	dirty bool
	ended bool // nothing is written any more
}

// openJournal opens the file of that path, gives each of its lines to take, and
// returns how many could not be read. A line that the end of the program has
// torn is left where it is, and the next begins after it.
func openJournal(path string, take func(*line)) (_ *journal, bad int, err error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, 0, err
	}
	defer func() {
		if err != nil {
			f.Close()
		}
	}()
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, 0, fmt.Errorf("%s is in use by another bendi: stop it, or give this one another folder with data: or BENDI_DATA", path)
	}
	last := byte('\n')
	for r := bufio.NewReader(f); ; {
		text, err := r.ReadBytes('\n')
		if len(text) > 0 {
			last = text[len(text)-1]
		}
		if len(bytes.TrimSpace(text)) > 0 {
			var l line
			if json.Unmarshal(text, &l) == nil {
				take(&l)
			} else {
				bad++
			}
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, 0, err
		}
	}
	j := &journal{file: f}
	if last != '\n' {
		if _, err := f.WriteString("\n"); err != nil {
			return nil, 0, err
		}
	}
	return j, bad, nil
}

// add writes a line.
func (j *journal) add(l line) error {
	text, err := json.Marshal(l)
	if err != nil {
		return err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.ended {
		return nil
	}
	j.dirty = true
	_, err = j.file.Write(append(text, '\n'))
	return err
}

// sync sees to it that what was written is on the disk. Lines may be added while
// it waits for that.
func (j *journal) sync() error {
	j.syncing.Lock()
	defer j.syncing.Unlock()
	j.mu.Lock()
	due := j.dirty && !j.ended
	j.dirty = false
	j.mu.Unlock()
	if !due {
		return nil
	}
	return j.file.Sync()
}

func (j *journal) close() error {
	err := j.sync()
	j.syncing.Lock()
	defer j.syncing.Unlock()
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.ended {
		return err
	}
	j.ended = true
	return errors.Join(err, j.file.Close())
}
