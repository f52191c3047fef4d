package chain

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// begin opens the folder, and the file to go on with or a new one. What is not
// as it was left, lines say.
func (l *Log) begin() error {
	if err := os.MkdirAll(l.Dir, 0o700); err != nil {
		return err
	}
	if err := l.own(); err != nil {
		return err
	}
	names, err := Files(l.Dir)
	if err != nil {
		return err
	}
	head, headErr := readHead(l.Dir, []*sealer{l.sealer})
	var said []func() // lines about what was found
	later := func(kind string, about any) { said = append(said, func() { l.tell(kind, about) }) }
	var v *survey
	for ; len(names) > 0; names = names[:len(names)-1] {
		path := filepath.Join(l.Dir, names[len(names)-1])
		if v, err = look(path, l.sealer, head.Seq); err != nil {
			return err
		}
		if v.lines > 0 {
			break
		}
		// Its first line was torn.
		if t, err := l.setAside(v.rest, names[len(names)-1]); err != nil {
			return err
		} else if t != nil {
			later(kindTorn, t)
		}
		if err := os.Remove(path); err != nil {
			return err
		}
		v = nil
	}
	l.last = Head{0, zeros}
	if v == nil {
		l.durable = l.last
		if headErr == nil && head.Seq > 0 {
			later(kindShort, short{head.Seq, head.Seq, head.Hash})
		}
		return l.open("", nil, said)
	}
	name := names[len(names)-1]
	path := filepath.Join(l.Dir, name)
	if len(v.rest) > 0 {
		t, err := l.mend(path, v)
		if err != nil {
			return err
		}
		if t != nil {
			later(kindTorn, t)
		}
	}
	l.last, l.durable = v.last, v.last
	switch d := v.damage; {
	case headErr == nil && head.Seq > v.last.Seq:
		l.Log.Error("ledger: lines are missing at the end", "file", name, "last", v.last.Seq, "had", head.Seq)
		later(kindShort, short{head.Seq - v.last.Seq, head.Seq, head.Hash})
	case d != nil:
	case headErr == nil && v.marked != "" && v.marked != head.Hash:
		v.damage = &damaged{name, 0, "has not the line that the file head had of it"}
	case errors.Is(headErr, errHead) && v.key == l.id:
		v.damage = &damaged{headName, 0, "was changed"}
	case isMissing(headErr) && v.last.Seq > 1:
		v.damage = &damaged{headName, 0, "was missing"}
	}
	if d := v.damage; d != nil {
		l.Log.Error("ledger: it is not as it was left; `bendi audit verify` says more", "file", d.File, "line", d.Line, "what", d.What)
		later(kindDamaged, d)
	}
	return l.open(path, v, said)
}

// own sees to it that nobody else writes here.
func (l *Log) own() error {
	if l.lock != nil {
		return nil
	}
	f, err := os.OpenFile(filepath.Join(l.Dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		return fmt.Errorf("%s is in use by another bendi: stop it, or give this one another folder with data: or BENDI_DATA", l.Dir)
	}
	l.lock = f
	return nil
}

// open goes on with a file, or begins one where that cannot be.
func (l *Log) open(path string, v *survey, said []func()) error {
	now := time.Now()
	if v == nil || v.damage != nil || v.key != l.id || v.size >= l.MaxFile || day(v.begun) != day(now) {
		if err := l.newFile(now); err != nil {
			return err
		}
	} else {
		f, err := os.OpenFile(path, os.O_RDWR, 0o600)
		if err != nil {
			return err
		}
		l.file, l.name, l.begun, l.base = l.testOnlyDisk(f), filepath.Base(path), v.begun, v.size
		l.headDue = true
	}
	for _, say := range said {
		say()
	}
	return l.flush(true)
}

// mend takes the torn line at the end of a file away, or gives it its end where
// that alone is missing.
func (l *Log) mend(path string, v *survey) (*torn, error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if next, err := parse(v.rest); err == nil && v.key == l.id && l.check(v.rest, next) == nil && next.follows(v.last.Seq, v.last.Hash) == nil {
		if _, err := f.WriteAt([]byte("\n"), v.size+int64(len(v.rest))); err != nil {
			return nil, err
		}
		v.size += int64(len(v.rest)) + 1
		v.last = Head{next.Seq, next.Hash}
		return nil, f.Sync()
	}
	t, err := l.setAside(v.rest, filepath.Base(path))
	if err != nil {
		return nil, err
	}
	return t, errors.Join(f.Truncate(v.size), f.Sync())
}

// setAside writes a torn line to a file of its own.
func (l *Log) setAside(rest []byte, of string) (*torn, error) {
	if len(rest) == 0 {
		return nil, nil
	}
	sum := sha256.Sum256(rest)
	t := &torn{len(rest), hex.EncodeToString(sum[:]), fmt.Sprintf("torn-%x-%s", sum[:6], of)}
	f, err := os.OpenFile(filepath.Join(l.Dir, t.Kept), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	_, err = f.Write(rest)
	l.Log.Warn("ledger: the program had been killed while it wrote; what there is of the line was put aside", "bytes", t.Bytes, "file", t.Kept)
	return t, errors.Join(err, f.Sync(), f.Close())
}

// keyOf returns which key the hashes of a file are made with, as its first line
// says.
func keyOf(l Line) string {
	var o opening
	if l.Kind == kindOpen && json.Unmarshal(l.Data, &o) == nil {
		return o.Key
	}
	return ""
}
