package token

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// maxDepth is how deep a part of a token may be nested.
const maxDepth = 16

// parts takes a token apart and reads its header and its claims, of which nothing
// is proven yet.
func parts(token string) (header, claims map[string]any, err error) {
	if strings.Count(token, ".") != 2 {
		return nil, nil, errors.New("a signed token has three parts")
	}
	first, rest, _ := strings.Cut(token, ".")
	second, third, _ := strings.Cut(rest, ".")
	if third == "" {
		return nil, nil, errors.New("it is not signed")
	}
	if header, err = object(first); err != nil {
		return nil, nil, fmt.Errorf("its header: %w", err)
	}
	if claims, err = object(second); err != nil {
		return nil, nil, fmt.Errorf("its claims: %w", err)
	}
	return header, claims, nil
}

// object reads a part of a token.
func object(part string) (map[string]any, error) {
	text, err := base64.RawURLEncoding.Strict().DecodeString(part)
	if err != nil {
		return nil, errors.New("they are not in base64url")
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	v, err := value(d, maxDepth)
	if err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errors.New("something follows them")
	}
	o, ok := v.(map[string]any)
	if !ok {
		return nil, errors.New("they are no JSON object")
	}
	return o, nil
}

var errNoJSON = errors.New("they are not JSON")

// value reads a value of JSON in which no object has a name twice.
func value(d *json.Decoder, depth int) (any, error) {
	if depth == 0 {
		return nil, fmt.Errorf("they are nested more than %d deep", maxDepth)
	}
	t, err := d.Token()
	if err != nil {
		return nil, errNoJSON
	}
	switch t {
	case json.Delim('{'):
		o := make(map[string]any)
		for d.More() {
			t, err := d.Token()
			name, ok := t.(string)
			if err != nil || !ok {
				return nil, errNoJSON
			}
			for have := range o { // encoding/json takes names for equal that differ in case
				if strings.EqualFold(have, name) {
					return nil, errors.New("they have a name twice")
				}
			}
			if o[name], err = value(d, depth-1); err != nil {
				return nil, err
			}
		}
		if _, err := d.Token(); err != nil {
			return nil, errNoJSON
		}
		return o, nil
	case json.Delim('['):
		list := []any{}
		for d.More() {
			v, err := value(d, depth-1)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		if _, err := d.Token(); err != nil {
			return nil, errNoJSON
		}
		return list, nil
	}
	return t, nil
}

// checkHeader returns why a header is refused, whatever is signed.
func checkHeader(header map[string]any, algorithms []string) error {
	for name, v := range header {
		switch name {
		case "alg", "kid", "typ", "x5t", "x5t#S256": // the last two name the key once more, and are not looked at
			if _, ok := v.(string); !ok {
				return fmt.Errorf("its %s is no text", name)
			}
		default:
			return errors.New("its header has more than alg, kid, typ and x5t")
		}
	}
	if alg, _ := header["alg"].(string); !slices.Contains(algorithms, alg) {
		return errors.New("its algorithm is none that its issuer uses")
	}
	if typ, ok := header["typ"].(string); ok {
		typ = strings.TrimPrefix(strings.ToLower(typ), "application/")
		if typ != "jwt" && typ != "at+jwt" {
			return errors.New("its typ is neither JWT nor at+jwt")
		}
	}
	if kid, ok := header["kid"].(string); ok && len(kid) > 256 {
		return fmt.Errorf("its kid has %d bytes, at most 256 are looked up", len(kid))
	}
	return nil
}
