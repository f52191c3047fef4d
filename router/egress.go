package router

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"bendi/chat"
)

// A Permission says what may be sent to backends outside of the house. Of
// several the least counts.
type Permission uint8

const (
	Never   Permission = iota
	Masked             // to a backend from which personal data is kept
	Allowed            // to any
)

var permissions = [...]string{"never", "masked", "allowed"}

func (p Permission) String() string {
	if int(p) < len(permissions) {
		return permissions[p]
	}
	return fmt.Sprintf("permission %d", uint8(p))
}

// ParsePermission reads the name of a permission.
func ParsePermission(name string) (Permission, error) {
	if i := slices.Index(permissions[:], name); i >= 0 {
		return Permission(i), nil
	}
	return Never, fmt.Errorf("%q is no permission to leave the house; there are %s", name, strings.Join(permissions[:], ", "))
}

// An Egress is the policy of what leaves the house. That of nobody's making
// lets nothing out.
type Egress struct {
	Route Permission // of all requests

	// Principals has who may send less than the route allows, by name; "*" is
	// for those without an entry.
	Principals map[string]Permission

	// Classes has the classes of data that may go less far, such as
	// "pii.phone". An entry for "pii" is for all its classes without one, and "*"
	// for all others.
	Classes map[string]Permission
}

// A ruling is what an Egress says of a request, and which of its rules do.
type ruling struct {
	Permission
	because []string // those that say so; nil where everything is allowed
}

func (r *ruling) apply(p Permission, rule string) {
	switch {
	case p == Allowed || p > r.Permission:
	case p < r.Permission:
		r.Permission, r.because = p, []string{rule}
	default:
		r.because = append(r.because, rule)
	}
}

// judge says what may be sent of a request.
func (e *Egress) judge(a *asker) ruling {
	r := ruling{Permission: Allowed}
	r.apply(e.Route, "the route")
	if a.anonymous {
		// Who asks is not told here: it may be anybody.
		least := Allowed
		for _, p := range e.Principals {
			least = min(least, p)
		}
		r.apply(least, "keys, and this is asked without one")
	} else if p, ok := e.Principals[a.principal]; ok {
		r.apply(p, "the key")
	} else if p, ok := e.Principals["*"]; ok {
		r.apply(p, "the key")
	}
	for _, class := range a.classes {
		r.apply(e.class(class), class)
	}
	if a.inside {
		r.apply(Never, "the filter")
	}
	if a.tokens {
		// Another backend's tokens say another text than the one that was looked
		// through: any class of data may be in there.
		least := Allowed
		for _, p := range e.Classes {
			least = min(least, p)
		}
		r.apply(least, "classes of data, which cannot be told in tokens")
	}
	return r
}

func (e *Egress) class(name string) Permission {
	for at := name; at != ""; {
		if p, ok := e.Classes[at]; ok {
			return p
		}
		at = at[:max(strings.LastIndexByte(at, '.'), 0)]
	}
	if p, ok := e.Classes["*"]; ok {
		return p
	}
	return Allowed
}

// lets reports whether a request that this is the ruling of may be sent to b.
func (r ruling) lets(b *Backend) bool {
	return b.Zone == Inside || r.Permission == Allowed || r.Permission == Masked && b.Masked
}

// Check reports every backend that a policy forbids for each request of the
// path: one outside where nothing may leave, and one from which nothing is kept
// where only masked data may. A configuration with one is wrong.
//
// What a key or a class of data forbids depends on the request; such a request
// is not sent to the backend, however it gets to the path. That it would find no
// backend at all is told by [Egress.DeadEnds].
func (e *Egress) Check(path string, backends ...*Backend) error {
	var errs []error
	for _, b := range backends {
		if all := (ruling{Permission: e.Route}); !all.lets(b) {
			errs = append(errs, fmt.Errorf("%s: backend %q is outside of the house, where the route says %q: take it out of the path%s", path, b.Name, e.Route, advice[e.Route]))
		}
	}
	return errors.Join(errs...)
}

var advice = [...]string{Never: ", or let the route send masked data out", Masked: ", mask what it is sent, or let the route send everything out", Allowed: ""}

// DeadEnds lists the rules whose requests none of the backends may answer. Such
// a request is refused; that may be meant.
func (e *Egress) DeadEnds(path string, backends ...*Backend) []string {
	var out []string
	dead := func(what string, p Permission) {
		r := ruling{Permission: min(p, e.Route)}
		if !slices.ContainsFunc(backends, r.lets) {
			out = append(out, fmt.Sprintf("%s: %s may go outside %q, and there is no backend for that: such requests are refused with 503", path, what, p))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(e.Principals)) {
		dead(fmt.Sprintf("what the key %q asks", name), e.Principals[name])
	}
	for _, name := range slices.Sorted(maps.Keys(e.Classes)) {
		dead(fmt.Sprintf("data of the class %q", name), e.Classes[name])
	}
	return out
}

// CodeNoAllowedBackend is the code of a request that no backend may be asked.
const CodeNoAllowedBackend = "no_allowed_backend"

// forbidden is the error of a request that none of n backends may be asked. It
// names rules and classes of data, never their content.
func (r ruling) forbidden(n int) error {
	may := "must stay inside the house, and no backend of this model is inside"
	if r.Permission == Masked {
		may = "may leave the house with personal data masked alone, and no backend of this model is inside or masked"
	}
	return &chat.Error{
		Kind: chat.Unavailable, Code: CodeNoAllowedBackend,
		Msg: fmt.Sprintf("None of the %d backends may answer: the request %s (because of %s). Ask a model that runs here.", n, may, strings.Join(r.because, ", ")),
	}
}
