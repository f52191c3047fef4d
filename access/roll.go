package access

import "sync"

// A Roll is of those whose requests are being answered. It outlasts the Door
// that they came by: whenever somebody may no longer be let in, [Roll.Look] finds
// them and ends their answers. The zero Roll ends nobody's.
type Roll struct {
	mu      sync.Mutex
	still   func(Identity) error // why somebody's answers end now; nil: nobody's do
	present map[*guest]struct{}
}

// A guest is somebody who is being answered.
type guest struct {
	who Identity
	end func(error)
}

// Judge has still say from now on why the answers of somebody end. A nil still
// lets everybody's go on.
func (r *Roll) Judge(still func(Identity) error) {
	r.mu.Lock()
	r.still = still
	r.mu.Unlock()
	r.Look()
}

// Look ends the answers of all those that are no longer let in.
func (r *Roll) Look() {
	type sentence struct {
		end func(error)
		err error
	}
	var all []sentence
	r.mu.Lock()
	for g := range r.present {
		if err := r.judge(g.who); err != nil {
			all = append(all, sentence{g.end, err})
			delete(r.present, g)
		}
	}
	r.mu.Unlock()
	for _, s := range all {
		s.end(s.err)
	}
}

func (r *Roll) judge(who Identity) error {
	if r.still == nil {
		return nil
	}
	return r.still(who)
}

// Enter notes that who is being answered from now on, until leave is called. If
// they may not be any more, end is called with the reason, once.
func (r *Roll) Enter(who Identity, end func(error)) (leave func()) {
	g := &guest{who, end}
	r.mu.Lock()
	err := r.judge(who) // who passed the door a moment ago, and may have been revoked since
	if err == nil {
		if r.present == nil {
			r.present = make(map[*guest]struct{})
		}
		r.present[g] = struct{}{}
	}
	r.mu.Unlock()
	if err != nil {
		end(err)
	}
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.present, g)
	}
}
