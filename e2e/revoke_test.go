package e2e_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"
)

// revokedWithin has answers run for a token that is revoked by its jti,
// one of a user whose tokens are, one of an issuer and a key that are gone from the
// configuration, and a key that is revoked: each ends within a second, with the
// reason as its last event. What a token or a key began that only expires, or that
// nobody has touched, comes to its end.
func revokedWithin(t *testing.T, _ *siege) {
	finish := make(chan struct{})
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "text/event-stream")
		say := func(text, finish string) {
			fmt.Fprintf(w, "data: {\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":0,\"delta\":{\"content\":%q},\"finish_reason\":%s}]}\n\n", text, finish)
			w.(http.Flusher).Flush()
		}
		for {
			select {
			case <-r.Context().Done():
				return
			case <-finish:
				say("", `"stop"`)
				io.WriteString(w, "data: {\"object\":\"chat.completion.chunk\",\"choices\":[],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":1,\"total_tokens\":2}}\n\ndata: [DONE]\n\n")
				return
			case <-time.After(50 * time.Millisecond):
				say("a ", "null")
			}
		}
	}))
	t.Cleanup(upstream.Close)
	dir := t.TempDir()
	secret := writeFile(t, "secret", strings.Repeat("0123456789abcdef", 4))
	config := func(keys, issuers string) string {
		return fmt.Sprintf(`
data: %q
access:
  keys: [{name: kept, key_file: %s}%s]
  jwt: [{name: svc, issuer: here, audience: [bendi], algorithms: [HS256], secret_file: %s, leeway: 1s}%s]
backends: {up: {url: %q, zone: inside, models: {m: {}}, probe: "off"}}
routes: [{path: /v1/chat, models: [up/m]}]
lexicons: []
`, dir, writeFile(t, "kept", "kept-"+siegeShop), keys, secret, issuers, upstream.URL+"/v1")
	}
	file := writeFile(t, "bendi.yaml", config(fmt.Sprintf(", {name: taken, key_file: %s}", writeFile(t, "taken", "taken-"+siegeShop)),
		fmt.Sprintf(", {name: gone, issuer: there, audience: [bendi], algorithms: [HS256], secret_file: %s}", secret)))
	do := func(args ...string) string {
		t.Helper()
		r := command(t, dir, "", append(args, "--config", file)...)
		r.want(t, 0)
		return strings.TrimSpace(r.stdout)
	}
	sign := func(issuer, user, lasts string, more ...string) string {
		return do(append([]string{"token", "sign", "--issuer", issuer, "--user", user, "--expires", lasts}, more...)...)
	}
	made, rotated := do("key", "create", "made"), do("key", "create", "rotated")
	s := started(t, bendiIn(t, dir, "serve", "--listen", "127.0.0.1:0", "--config", file))
	s.listening(t)
	expiring := sign("svc", "soon", "3s")
	bob, other := sign("svc", "bob", "1h"), sign("svc", "bob", "2h")

	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	type stream struct {
		want string
		end  chan string
	}
	streams := make(map[string]stream)
	for name, of := range map[string]struct{ key, want string }{
		"a token by its jti":     {sign("svc", "ann", "1h", "--claim", "jti=the-one"), "revoked_token"},
		"another of that user":   {sign("svc", "ann", "1h"), "[DONE]"},
		"a token by its user":    {bob, "revoked_token"},
		"an issuer that is gone": {sign("gone", "cleo", "1h"), "revoked_token"},
		"a key that is gone":     {"taken-" + siegeShop, "revoked_api_key"},
		"a key that is revoked":  {made, "revoked_api_key"},
		"a key that is rotated":  {rotated, "[DONE]"},
		"a key that is kept":     {"kept-" + siegeShop, "[DONE]"},
		"a token that expires":   {expiring, "[DONE]"},
	} {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url+"/v1/chat", strings.NewReader(`{"stream":true,"messages":[{"role":"user","content":"a"}]}`))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+of.key)
		resp, err := http.DefaultClient.Do(req)
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("%s: %v %v%v", name, resp, err, s)
		}
		end := make(chan string, 1)
		lines := bufio.NewScanner(resp.Body)
		lines.Scan() // it has begun
		go func() {
			defer resp.Body.Close()
			last := ""
			for lines.Scan() {
				if lines.Text() != "" {
					last = lines.Text()
				}
			}
			end <- last
		}()
		streams[name] = stream{of.want, end}
	}
	eventually(t, 20*time.Second, "the token has expired", func() bool {
		status, _, _ := s.do(t, http.MethodGet, "/v1/models", expiring, "", "")
		return status == http.StatusUnauthorized
	})
	do("token", "revoke", "the-one")
	do("token", "revoke", "--user", "svc:bob", "--for", "1h")
	do("key", "revoke", "made")
	do("key", "rotate", "rotated")
	if err := os.WriteFile(file, []byte(config("", "")), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, st := range streams {
		if st.want == "[DONE]" {
			continue
		}
		select {
		case last := <-st.end:
			if !strings.Contains(last, st.want) {
				t.Errorf("%s: the last event is %s, want %s", name, last, st.want)
			}
		case <-time.After(within(10 * time.Second)): // a reload takes a few seconds
			t.Errorf("%s: its answer goes on%v", name, s)
		}
	}
	close(finish)
	for name, st := range streams {
		if st.want != "[DONE]" {
			continue
		}
		if last := <-st.end; !strings.Contains(last, st.want) {
			t.Errorf("%s: the last event is %s, want the end", name, last)
		}
	}
	for name, token := range map[string]string{"one": bob, "another": other} {
		if status, _, _ := s.do(t, http.MethodGet, "/v1/models", token, "", ""); status != http.StatusUnauthorized {
			t.Errorf("%s of the tokens that were revoked with their user: %d", name, status)
		}
	}
}

// TestNamesOfKeys has a key of the configuration called as one that was made: the
// server does not start, and says what to do.
func TestNamesOfKeys(t *testing.T) {
	dir := t.TempDir()
	command(t, dir, "", "key", "create", "shop").want(t, 0)
	command(t, dir, "", "key", "revoke", "shop").want(t, 0)
	file := writeFile(t, "bendi.yaml", fmt.Sprintf("access: {keys: [{name: shop, key_file: %s}]}\n", writeFile(t, "key", siegeShop)))
	command(t, dir, "", "serve", "--listen", "127.0.0.1:0", "--config", file).want(t, 2, `access.keys[0].name: "shop" is the name of a revoked key`, "bendi key list")
	command(t, dir, "", "key", "create", "shop", "--config", file).want(t, 1, `the configuration has a key "shop"`)
	if r := command(t, dir, "", "doctor", "--config", file); !strings.Contains(r.stdout, `"shop" is the name of a revoked key`) {
		t.Errorf("the doctor says nothing%v", r)
	}
}
