package experiment

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"bendi/chat"
	"bendi/internal/spelling"
	"bendi/ledger"
)

// An Observer is told what experiments do, for metrics.
type Observer interface {
	Counted(experiment, arm, outcome string)
	Excluded(experiment, why string)
	Stopped(experiment, arm, guard string)
}

// Options say who is told of what a [Lab] does.
type Options struct {
	Log      *slog.Logger
	Observer Observer // nil: nobody

	// Copied is told of each copy of a request that a shadow arm was given; nil:
	// nobody is.
	Copied func(*ledger.Entry)
}

// A Lab has the experiments of an installation.
type Lab struct {
	Options
	stop context.CancelFunc // of the saving
	wg   sync.WaitGroup     // likewise

	mu     sync.Mutex             // guards what follows
	secret []byte                 // of the hashes of names; does not change once it is there
	all    map[string]*Experiment // whose files are open
	live   []string               // those of the configuration in force, sorted
}

// syncEvery is how much of what was counted the end of the machine can lose.
const syncEvery = time.Second

// New returns a Lab without experiments.
func New(o Options) *Lab {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Observer == nil {
		o.Observer = nobody{}
	}
	l := &Lab{Options: o, all: make(map[string]*Experiment)}
	ctx, stop := context.WithCancel(context.Background())
	l.stop = stop
	l.wg.Go(func() { l.keepSaving(ctx) })
	return l
}

// keepSaving brings what was counted to the disk now and then.
func (l *Lab) keepSaving(ctx context.Context) {
	tick := time.NewTicker(syncEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			for _, x := range l.experiments() {
				x.save()
			}
		case <-ctx.Done():
			return
		}
	}
}

func (l *Lab) experiments() []*Experiment {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Collect(maps.Values(l.all))
}

// Close closes the files. It is called when all Splits are closed.
func (l *Lab) Close() error {
	l.stop()
	l.wg.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	var errs []error
	for _, x := range l.all {
		errs = append(errs, x.close())
	}
	clear(l.all)
	l.live = nil
	return errors.Join(errs...)
}

// open returns the experiment of a plan, whose file it opens in a folder.
func (l *Lab) open(dir string, p Plan) (*Experiment, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if x := l.all[p.Name]; x != nil {
		return x, nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the folder of the experiments: %w; name another with data: or BENDI_DATA", err)
	}
	if l.secret == nil {
		secret, err := readSecret(filepath.Join(dir, "secret"))
		if err != nil {
			return nil, fmt.Errorf("the secret of the experiments' hashes: %w", err)
		}
		l.secret = secret
	}
	x, err := openExperiment(p, filepath.Join(dir, p.Name+".jsonl"), l.Log, l.Observer)
	if err != nil {
		return nil, err
	}
	l.all[p.Name] = x
	return x, nil
}

// readSecret reads the secret of a file, or makes one.
func readSecret(file string) ([]byte, error) {
	secret := make([]byte, 32)
	rand.Read(secret) // never fails
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		text, err := os.ReadFile(file)
		if err == nil && len(text) < len(secret) {
			err = fmt.Errorf("%s has %d bytes, want %d; remove it, and feedback to answers given so far finds them no more", file, len(text), len(secret))
		}
		return text, err
	}
	if err != nil {
		return nil, err
	}
	_, err = f.Write(secret)
	return secret, errors.Join(err, f.Sync(), f.Close())
}

// hash returns what stands for a name in files.
func (l *Lab) hash(parts ...string) string {
	h := hmac.New(sha256.New, l.secret)
	h.Write([]byte(join(parts...)))
	return hex.EncodeToString(h.Sum(nil)[:10])
}

// keys returns what stands for the ids of a request and its answer.
func (l *Lab) keys(e *ledger.Entry) []string {
	ids := []string{l.hash("id", e.Principal, e.ID)}
	if e.AnswerID != "" {
		ids = append(ids, l.hash("id", e.Principal, e.AnswerID))
	}
	return ids
}

// Adopt puts the plans of a configuration in force, whose Splits have been made.
// Experiments that it has no more rest.
func (l *Lab) Adopt(plans []Plan) error {
	plans = slices.SortedFunc(slices.Values(plans), func(a, b Plan) int { return strings.Compare(a.Name, b.Name) })
	var errs []error
	l.mu.Lock()
	l.live = nil
	for _, p := range plans {
		l.live = append(l.live, p.Name)
	}
	all := maps.Clone(l.all)
	for name, x := range all {
		if !slices.Contains(l.live, name) {
			errs = append(errs, x.close())
			delete(l.all, name)
		}
	}
	l.mu.Unlock()
	for _, p := range plans {
		errs = append(errs, all[p.Name].adopt(p, l.running(p.Route, p.Name)))
	}
	return errors.Join(errs...)
}

// running returns the experiment that runs on a route, but for the one named.
func (l *Lab) running(route, but string) string {
	for _, x := range l.experiments() {
		x.mu.Lock()
		on := x.plan.Route == route && x.name != but
		x.mu.Unlock()
		if on && x.now.Load().state == Running {
			return x.name
		}
	}
	return ""
}

// Observe counts a request that has ended, if it takes part in an experiment.
func (l *Lab) Observe(e *ledger.Entry) {
	name, arm, ok := strings.Cut(e.Arm, "/")
	if !ok || e.Unit == "" {
		return
	}
	l.mu.Lock()
	x := l.all[name]
	l.mu.Unlock()
	if x != nil {
		x.count(e, arm, l.keys)
	}
}

// Give counts feedback of a principal about answers that it was given.
func (l *Lab) Give(principal string, f *Feedback) error {
	if err := f.Check(); err != nil {
		return err
	}
	l.mu.Lock()
	known := l.secret != nil
	l.mu.Unlock()
	hash := func(id string) string {
		if id == "" || !known {
			return ""
		}
		return l.hash("id", principal, id)
	}
	id, a, b := hash(f.ID), hash(f.A), hash(f.B)
	for _, x := range l.experiments() {
		if ok, err := x.give(f, id, a, b); ok || err != nil {
			return err
		}
	}
	return &chat.Error{Kind: chat.NotFound, Code: "request_not_found",
		Msg: "No answer by that id counts in an experiment: it must have been given to this key, by an experiment that ran, at most 30 days and 50,000 answers ago."}
}

// Experiments says how those of the configuration are.
func (l *Lab) Experiments() []Status {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := []Status{}
	for _, name := range l.live {
		all = append(all, l.all[name].status())
	}
	return all
}

// find returns an experiment of the configuration.
func (l *Lab) find(name string) (*Experiment, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if slices.Contains(l.live, name) {
		return l.all[name], nil
	}
	msg := fmt.Sprintf("There is no experiment %q", name)
	if near := spelling.Nearest(name, l.live); near != "" {
		msg += fmt.Sprintf("; did you mean %q?", near)
	} else if len(l.live) == 0 {
		msg += "; there is none: write one under experiments: in the configuration."
	} else {
		msg += "; there are: " + strings.Join(l.live, ", ") + "."
	}
	return nil, &chat.Error{Kind: chat.NotFound, Param: "name", Msg: msg}
}

// Start starts an experiment that does not run, from nothing.
func (l *Lab) Start(name string) (Status, error) {
	x, err := l.find(name)
	if err != nil {
		return Status{}, err
	}
	x.mu.Lock()
	route := x.plan.Route
	x.mu.Unlock()
	if other := l.running(route, name); other != "" {
		return Status{}, chat.Errorf(chat.Conflict, "The experiment %q runs on the route %s already; stop it first.", other, route)
	}
	if err := x.start(); err != nil {
		return Status{}, err
	}
	return x.status(), nil
}

// Stop stops one that runs. The winner answers everybody from then on, or else
// the control.
func (l *Lab) Stop(name, winner string) (Status, error) {
	x, err := l.find(name)
	if err != nil {
		return Status{}, err
	}
	if err := x.stop(winner); err != nil {
		return Status{}, err
	}
	return x.status(), nil
}

type nobody struct{}

func (nobody) Counted(_, _, _ string) {}
func (nobody) Excluded(_, _ string)   {}
func (nobody) Stopped(_, _, _ string) {}
