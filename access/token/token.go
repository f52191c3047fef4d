package token

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"bendi/access"
)

// A Verifier takes the tokens of issuers. It may be used concurrently.
type Verifier struct {
	issuers []*issuer
	denied  Denied
}

// A Denied reports whether a token is denied that names a user and is signed.
type Denied func(user string, p access.Proof) bool

// An issuer is an Issuer and its keys.
type issuer struct {
	Issuer
	parser *jwt.Parser
	key    func(context.Context, *jwt.Token) (any, error)
}

// New returns a Verifier of the tokens of some issuers. Those are refused that
// are denied; denied may be nil.
func New(issuers []Issuer, denied Denied) (*Verifier, error) {
	v := &Verifier{denied: denied}
	for _, in := range issuers {
		if err := in.Check(); err != nil {
			return nil, fmt.Errorf("tokens of %s: %w", in.Name, err)
		}
		i := &issuer{Issuer: in}
		i.parser = jwt.NewParser(jwt.WithValidMethods(in.Algorithms), jwt.WithIssuer(in.Issuer), jwt.WithAudience(in.Audience...),
			jwt.WithExpirationRequired(), jwt.WithIssuedAt(), jwt.WithLeeway(in.Leeway), jwt.WithStrictDecoding())
		every, keep := cmp.Or(in.Refresh, 5*time.Minute), cmp.Or(in.Keep, time.Hour)
		switch {
		case len(in.Secret) > 0:
			i.key = func(context.Context, *jwt.Token) (any, error) { return in.Secret, nil }
		case len(in.PublicKey) > 0:
			key, err := parsePublic(in.PublicKey)
			if err != nil {
				return nil, err
			}
			i.key = func(context.Context, *jwt.Token) (any, error) { return key, nil }
		case in.File != "":
			set := &keySet{fetch: fromFile(in.File), every: fileEvery, gap: fileEvery, keep: keep}
			i.key = set.key
		default:
			set := &keySet{fetch: overHTTP(in.Client, in.URL), every: every, gap: min(every, unknownEvery), keep: max(keep, every)}
			i.key = set.key
		}
		v.issuers = append(v.issuers, i)
	}
	return v, nil
}

// refused makes a Refusal of why a token opens nothing. What it says is about
// the token, and never from it.
func refused(err error) *access.Refusal {
	return &access.Refusal{Code: "invalid_token", Text: "The token is not taken: " + err.Error() + "."}
}

// Check returns who a token is of, or an [access.Refusal].
func (v *Verifier) Check(ctx context.Context, token string) (access.Identity, error) {
	t, err := v.Read(ctx, token)
	if err != nil {
		return access.Identity{}, err
	}
	return t.Identity, nil
}

// Takes reports whether the tokens of an issuer are taken, by its name.
func (v *Verifier) Takes(name string) bool {
	return slices.ContainsFunc(v.issuers, func(i *issuer) bool { return i.Name == name })
}

// A Token is one that is taken.
type Token struct {
	Identity access.Identity
	Expires  time.Time
}

// Read is Check for whoever wants to know more.
func (v *Verifier) Read(ctx context.Context, token string) (*Token, error) {
	if len(token) > access.MaxSecretLength {
		return nil, refused(fmt.Errorf("it has %d bytes, at most %d are read", len(token), access.MaxSecretLength))
	}
	header, claims, err := parts(token)
	if err != nil {
		return nil, refused(err)
	}
	iss, _ := claims["iss"].(string)
	reason := errors.New("nobody who may sign tokens here is named by its iss")
	for _, i := range v.issuers {
		if iss == "" || i.Issuer.Issuer != iss {
			continue
		}
		t, err := i.read(ctx, token, header, claims)
		if err == nil {
			if v.denied != nil && v.denied(t.Identity.Name, t.Identity.Proof) {
				return nil, access.RevokedToken()
			}
			return t, nil
		}
		if r, ok := errors.AsType[*access.Refusal](err); ok {
			return nil, r
		}
		reason = err // another entry may be of the same iss
	}
	return nil, refused(reason)
}

// read proves a token, of which claims and header have been read.
func (i *issuer) read(ctx context.Context, token string, header, claims map[string]any) (*Token, error) {
	if err := checkHeader(header, i.Algorithms); err != nil {
		return nil, err
	}
	for _, name := range []string{"exp", "nbf", "iat"} {
		if at, is := claims[name]; is {
			n, ok := at.(json.Number)
			if f, err := n.Float64(); !ok || err != nil || f < 0 || f > math.MaxInt32*1024 {
				return nil, fmt.Errorf("its %s is no time", name)
			}
		}
	}
	proven, err := i.parser.Parse(token, func(t *jwt.Token) (any, error) { return i.fitting(ctx, t) })
	if err != nil {
		return nil, i.why(err)
	}
	id := ""
	if jti, is := claims["jti"]; is {
		text, ok := jti.(string)
		if !ok || len(text) > 256 {
			return nil, errors.New("its jti is no text of at most 256 bytes")
		}
		id = text
	}
	expires, err := proven.Claims.GetExpirationTime()
	if err != nil {
		return nil, errors.New("its exp is no time")
	}
	who, err := i.identity(claims)
	if err != nil {
		return nil, err
	}
	who.Proof = access.Proof{Issuer: i.Name, ID: id}
	if issued, err := proven.Claims.GetIssuedAt(); err == nil && issued != nil {
		who.Proof.Issued = issued.Time
	}
	return &Token{who, expires.Time}, nil
}

// fitting returns the keys for a token that are of the kind its algorithm takes.
func (i *issuer) fitting(ctx context.Context, t *jwt.Token) (any, error) {
	key, err := i.key(ctx, t)
	if err != nil || len(i.Secret) > 0 {
		return key, err
	}
	set, several := key.(jwt.VerificationKeySet)
	if !several {
		return key, fits(t.Method.Alg(), key)
	}
	var fit jwt.VerificationKeySet
	for _, k := range set.Keys {
		if fits(t.Method.Alg(), k) == nil {
			fit.Keys = append(fit.Keys, k)
		}
	}
	return fit, nil
}

// why says in our words what is wrong with a token. That its signature is wrong
// comes first: of a token that nobody has signed, nothing else matters.
func (i *issuer) why(err error) error {
	switch {
	case errors.Is(err, errNoKeys):
		return &access.Refusal{Now: true, Code: "issuer_unavailable", Err: err,
			Text: "The token cannot be checked now, for the keys of its issuer cannot be fetched. Try again later."}
	case errors.Is(err, jwt.ErrTokenSignatureInvalid), errors.Is(err, jwt.ErrTokenMalformed): // its other parts were read before
		return errors.New("its signature is wrong")
	case errors.Is(err, jwt.ErrTokenUnverifiable):
		return errors.New("its issuer has no such key for its algorithm")
	case errors.Is(err, jwt.ErrTokenExpired):
		return errors.New("it has expired")
	case errors.Is(err, jwt.ErrTokenNotValidYet), errors.Is(err, jwt.ErrTokenUsedBeforeIssued):
		return errors.New("it is not valid yet")
	case errors.Is(err, jwt.ErrTokenInvalidAudience):
		return errors.New("it is for another audience")
	case errors.Is(err, jwt.ErrTokenInvalidIssuer):
		return errors.New("it has another issuer")
	case errors.Is(err, jwt.ErrTokenRequiredClaimMissing):
		return errors.New("it has no exp, iss or aud")
	}
	return errors.New("it is not what a token is")
}

// identity returns who the claims of a proven token are of.
func (i *issuer) identity(claims map[string]any) (who access.Identity, err error) {
	name := cmp.Or(i.Claims.User, "sub")
	user, _ := find(claims, name).(string)
	if user == "" || len(user) > 256 {
		return who, fmt.Errorf("its %s, which names the user, is no text of 1 to 256 bytes", name)
	}
	who = access.Identity{Name: i.Name + ":" + plain(user), Inside: i.Inside, Scopes: i.Scopes, Limits: i.Limits, Priority: i.Priority}
	who.User = who.Name
	var own access.Scopes
	if own.Routes, err = texts(claims, i.Claims.Routes); err != nil {
		return who, err
	}
	if own.Models, err = texts(claims, i.Claims.Models); err != nil {
		return who, err
	}
	who.Scopes = own.Within(i.Scopes)
	roles, err := texts(claims, i.Claims.Roles)
	if err != nil {
		return who, err
	}
	who.Admin = i.AdminRole != "" && slices.Contains(roles, i.AdminRole)
	if v := find(claims, i.Claims.Priority); v != nil {
		n, _ := v.(json.Number)
		priority, err := n.Int64()
		if err != nil {
			return who, fmt.Errorf("its %s is no whole number", i.Claims.Priority)
		}
		who.Priority = int(max(-access.MaxPriority, min(priority, int64(i.Priority))))
	}
	if v := find(claims, i.Claims.Limits); v != nil {
		text, err := json.Marshal(v)
		if err != nil {
			return who, err
		}
		var limits access.Limits
		d := json.NewDecoder(strings.NewReader(string(text)))
		d.DisallowUnknownFields()
		if err := d.Decode(&limits); err != nil || limits.Check() != nil {
			return who, fmt.Errorf("its %s are no limits", i.Claims.Limits)
		}
		who.Limits = limits.Within(i.Limits)
	}
	return who, nil
}

// find returns the claim of a name, or the part of one.
func find(claims map[string]any, name string) any {
	if name == "" {
		return nil
	}
	if v, is := claims[name]; is {
		return v
	}
	first, rest, dotted := strings.Cut(name, ".")
	if !dotted {
		return nil
	}
	inner, _ := claims[first].(map[string]any)
	return find(inner, rest)
}

// texts returns a claim that is a list of texts, or one that has them with spaces
// between. It is nil where there is no such claim.
func texts(claims map[string]any, name string) ([]string, error) {
	switch v := find(claims, name).(type) {
	case nil:
		return nil, nil
	case string:
		return append([]string{}, strings.Fields(v)...), nil
	case []any:
		all := []string{}
		for _, e := range v {
			text, ok := e.(string)
			if !ok {
				return nil, fmt.Errorf("its %s is no list of texts", name)
			}
			all = append(all, text)
		}
		return all, nil
	}
	return nil, fmt.Errorf("its %s is no list of texts", name)
}

// plain returns a user as logs can show it: itself, or where it has other
// characters, a hash of it.
func plain(user string) string {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._@+-"
	if len(user) <= 96 && strings.Trim(user, letters) == "" {
		return user
	}
	sum := sha256.Sum256([]byte(user))
	return "~" + hex.EncodeToString(sum[:12])
}
