package experiment

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"bendi/chat"
	"bendi/experiment/report"
	"bendi/experiment/stats"
	"bendi/ledger"
)

// A State says whether an experiment runs:
//
//	waiting --start--> running --stop--> stopped --start--> running, from nothing
//	running --a plan whose figures cannot be put together with it--> running, from nothing
type State string

const (
	Waiting State = "waiting" // it has not been started
	Running State = "running"
	Stopped State = "stopped"
)

// An Experiment is what is known of a [Plan] over the time. It outlives the
// configuration that has the plan.
type Experiment struct {
	name     string
	log      *slog.Logger
	observer Observer

	now atomic.Pointer[view]

	mu       sync.Mutex // guards what follows
	plan     Plan       // in force
	print    string     // of the plan that is counted
	weights  map[string]int
	started  time.Time
	ended    time.Time
	history  []change
	draw     *stats.Draw // since the weights last changed
	follow   report.Follower
	reweighs int // times that they have since the start
	tallies  map[string]*tally
	guards   map[string]*vigil
	excluded map[string]int
	unsaved  bool // the excluded
	pairs    map[[2]string]Pair
	answers  *answers
	journal  *journal
	trouble  time.Time // when the file was last said to be at fault
	damaged  int       // lines of it that could not be read
}

// A view is what a request has to know of an experiment.
type view struct {
	state   State
	winner  string
	stopped map[string]string // arms, with the guard that has
}

// A Pair counts the votes between two arms.
type Pair struct{ A, B, Ties int }

// mostHistory is how many changes of state are kept in memory.
const mostHistory = 200

// openExperiment reads what is known of an experiment from its file.
func openExperiment(p Plan, file string, log *slog.Logger, observer Observer) (*Experiment, error) {
	x := &Experiment{name: p.Name, plan: p, log: log, observer: observer, answers: newAnswers()}
	x.now.Store(&view{state: Waiting})
	x.clear()
	var err error
	if x.journal, x.damaged, err = openJournal(file, x.replay); err != nil {
		return nil, fmt.Errorf("experiment %s: %w", p.Name, err)
	}
	if x.damaged > 0 {
		log.Warn("experiment: some lines of its file cannot be read, and do not count; the end of a program may have torn the last", "experiment", p.Name, "lines", x.damaged, "file", file)
	}
	return x, nil
}

// clear forgets what was counted. Its caller holds mu.
func (x *Experiment) clear() {
	x.draw, x.reweighs, x.follow = new(stats.Draw), 0, report.Follower{}
	x.tallies, x.guards = make(map[string]*tally), make(map[string]*vigil)
	x.excluded, x.pairs = make(map[string]int), make(map[[2]string]Pair)
	x.answers.clear()
}

// replay takes a line of the file.
func (x *Experiment) replay(l *line) {
	switch {
	case l.State != nil:
		x.become(*l.State)
	case l.Observation != nil:
		x.add(l.Observation)
	case l.Score != nil:
		x.score(l.Score)
	case l.Vote != nil:
		x.vote(l.Vote)
	case l.Excluded != nil:
		x.excluded = l.Excluded.Counts
	}
}

// become is the one place where the state changes. Its caller holds mu.
func (x *Experiment) become(c change) {
	v := *x.now.Load()
	switch c.What {
	case "start":
		v = view{state: Running}
		x.clear()
		x.print, x.weights, x.started, x.ended = c.Print, c.Weights, c.At, time.Time{}
	case "weights":
		x.weights, x.draw = c.Weights, new(stats.Draw)
		x.reweighs++
	case "arm_stopped":
		v.stopped = maps.Clone(v.stopped)
		if v.stopped == nil {
			v.stopped = make(map[string]string)
		}
		v.stopped[c.Arm] = c.Guard
	case "stop":
		v.state, v.winner = Stopped, c.Winner
		x.ended = c.At
	}
	if x.history = append(x.history, c); len(x.history) > mostHistory {
		x.history = x.history[1:]
	}
	x.now.Store(&v)
}

// change writes a change down, and then makes it. Its caller holds mu.
func (x *Experiment) change(c change) error {
	c.At = time.Now()
	if err := errors.Join(x.journal.add(line{State: &c}), x.journal.sync()); err != nil {
		return fmt.Errorf("experiment %s: %s could not be written down, and was not done: %w", x.name, c.What, err)
	}
	x.become(c)
	attrs := []any{"experiment", x.name, "what", c.What, "by", c.By}
	for _, a := range [][2]string{{"arm", c.Arm}, {"guard", c.Guard}, {"winner", c.Winner}, {"why", c.Why}} {
		if a[1] != "" {
			attrs = append(attrs, a[0], a[1])
		}
	}
	if c.What == "arm_stopped" {
		x.log.Warn("experiment: a guard has stopped an arm; its requests go to the control", attrs...)
	} else {
		x.log.Info("experiment: changed", attrs...)
	}
	return nil
}

// adopt puts a plan in force, and starts it where it starts by itself and
// nothing else does on its route.
func (x *Experiment) adopt(p Plan, busy string) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.plan = p
	switch v := x.now.Load(); {
	case v.state == Waiting && !p.Manual && busy != "":
		x.log.Warn("experiment: not started, since another runs on its route", "experiment", x.name, "other", busy)
	case v.state == Waiting && !p.Manual:
		return x.begin("configuration", "")
	case v.state == Running && x.print != p.print():
		stopped := v.stopped
		err := x.begin("configuration", "the plan has changed; what was counted so far does not go together with it and counts no more")
		for arm, guard := range stopped {
			if err == nil && p.arm(arm) != nil {
				err = x.change(change{What: "arm_stopped", By: "configuration", Arm: arm, Guard: guard, Why: "it was stopped before the plan changed; `bendi ab start` starts it again"})
			}
		}
		return err
	case v.state == Running && !maps.Equal(x.weights, p.weights()):
		return x.change(change{What: "weights", By: "configuration", Weights: p.weights()})
	}
	return nil
}

func (x *Experiment) begin(by, why string) error {
	return x.change(change{What: "start", By: by, Why: why, Print: x.plan.print(), Weights: x.plan.weights()})
}

// start starts an experiment that does not run.
func (x *Experiment) start() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.now.Load().state == Running {
		return chat.Errorf(chat.Conflict, "The experiment %q runs already, since %s.", x.name, x.started.Format(time.RFC3339))
	}
	return x.begin("operator", "")
}

// stop stops an experiment that runs. From then on the winner answers
// everybody, or else the control.
func (x *Experiment) stop(winner string) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.now.Load().state != Running {
		return chat.Errorf(chat.Conflict, "The experiment %q does not run.", x.name)
	}
	if winner != "" {
		a := x.plan.arm(winner)
		switch {
		case a == nil:
			return chat.BadParam("winner", "'winner' must be an arm of %q; there are: %v.", x.name, x.plan.names())
		case a.Shadow:
			return chat.BadParam("winner", "The arm %q is a shadow; it answers nobody and cannot win.", winner)
		}
	}
	x.saveExcluded()
	return x.change(change{What: "stop", By: "operator", Winner: winner})
}

// count counts a request that has ended.
func (x *Experiment) count(e *ledger.Entry, arm string, keys func(*ledger.Entry) []string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	a := x.plan.arm(arm)
	if x.now.Load().state != Running || a == nil {
		return
	}
	o := x.plan.observe(e, arm)
	if !a.Shadow { // nobody has seen the answer, to say anything of it
		o.IDs = keys(e)
	}
	x.observer.Counted(x.name, arm, string(o.Outcome))
	x.write(line{Observation: o})
	x.add(o)
	if v := x.now.Load(); v.stopped[arm] != "" {
		return
	}
	guard, why := x.guards[arm].trip(x.plan.Guards)
	switch {
	case guard == "":
	case arm == x.plan.Control:
		x.guards[arm] = new(vigil) // there is nothing to fall back on
		x.log.Warn("experiment: the control is over a limit, and goes on", "experiment", x.name, "arm", arm, "guard", guard, "why", why)
	default:
		if err := x.change(change{What: "arm_stopped", By: "guard", Arm: arm, Guard: guard, Why: why}); err != nil {
			x.complain(err)
			return
		}
		x.observer.Stopped(x.name, arm, guard)
	}
}

// add adds an observation to what was counted. Its caller holds mu.
func (x *Experiment) add(o *Observation) {
	t := x.tallies[o.Arm]
	if t == nil {
		t = newTally()
		x.tallies[o.Arm] = t
	}
	t.add(o)
	if a := x.plan.arm(o.Arm); a != nil && !a.Shadow {
		x.draw.Add(o.Arm, o.Unit)
	}
	if x.guards[o.Arm] == nil {
		x.guards[o.Arm] = new(vigil)
	}
	x.guards[o.Arm].add(o, x.plan.Guards)
	x.answers.add(o)
	if x.follow.Due() {
		r := report.New(x.told())
		r.At = o.At
		x.follow.Follow(r)
	}
}

// exclude counts a request that counts in no arm.
func (x *Experiment) exclude(why string) {
	x.observer.Excluded(x.name, why)
	x.mu.Lock()
	defer x.mu.Unlock()
	x.excluded[why]++
	x.unsaved = true
}

// write writes a line. A file at fault keeps nobody from an answer.
func (x *Experiment) write(l line) {
	if err := x.journal.add(l); err != nil {
		x.complain(err)
	}
}

// complain logs what is wrong with the file, once a minute.
func (x *Experiment) complain(err error) {
	if time.Since(x.trouble) > time.Minute {
		x.trouble = time.Now()
		x.log.Error("experiment: its file cannot be written; what is counted now is lost with the end of the program", "experiment", x.name, "err", err)
	}
}

// save brings to the disk what is not there. Requests do not wait for that.
func (x *Experiment) save() {
	x.mu.Lock()
	x.saveExcluded()
	x.mu.Unlock()
	if err := x.journal.sync(); err != nil {
		x.mu.Lock()
		defer x.mu.Unlock()
		x.complain(err)
	}
}

func (x *Experiment) saveExcluded() {
	if x.unsaved {
		x.unsaved = false
		x.write(line{Excluded: &excluded{time.Now(), maps.Clone(x.excluded)}})
	}
}

func (x *Experiment) close() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.saveExcluded()
	return x.journal.close()
}

// A Status says in a few words how an experiment is.
type Status struct {
	Name     string         `json:"name"`
	Route    string         `json:"route"`
	State    State          `json:"state"`
	Since    *time.Time     `json:"since,omitempty"` // it runs, or does not
	Winner   string         `json:"winner,omitempty"`
	Arms     []ArmStatus    `json:"arms"`
	Excluded map[string]int `json:"excluded"` // requests that did not count, by why
	Damaged  int            `json:"damaged_lines,omitempty"`
}

// An ArmStatus says how an arm is.
type ArmStatus struct {
	Name     string `json:"name"`
	Control  bool   `json:"control,omitempty"`
	Shadow   bool   `json:"shadow,omitempty"`
	Weight   int    `json:"weight"`
	Requests int    `json:"requests"`
	Units    int64  `json:"units"`             // about
	Stopped  string `json:"stopped,omitempty"` // the guard that has
}

// status returns how the experiment is.
func (x *Experiment) status() Status {
	x.mu.Lock()
	defer x.mu.Unlock()
	v := x.now.Load()
	s := Status{Name: x.name, Route: x.plan.Route, State: v.state, Winner: v.winner, Excluded: maps.Clone(x.excluded), Damaged: x.damaged}
	if since := cmp.Or(x.ended, x.started); !since.IsZero() {
		s.Since = &since
	}
	for _, name := range x.plan.names() {
		a := ArmStatus{Name: name, Control: name == x.plan.Control, Stopped: v.stopped[name]}
		if p := x.plan.arm(name); p != nil {
			a.Shadow, a.Weight = p.Shadow, p.Weight
		}
		if t := x.tallies[name]; t != nil {
			a.Requests, a.Units = t.requests, t.metrics["errors"].Units()
		}
		s.Arms = append(s.Arms, a)
	}
	return s
}

// stoppedArms lists the changes by which arms were stopped since the start.
func (x *Experiment) stoppedArms() []change {
	var all []change
	for _, c := range slices.Backward(x.history) {
		if c.What == "start" {
			break
		}
		if c.What == "arm_stopped" {
			all = append(all, c)
		}
	}
	slices.Reverse(all)
	return all
}
