package e2e_test

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"bendi/internal/redistest"
)

// TestLimitsOfTwoGateways sends 200 requests at once to two gateways that share a
// Redis, of a key that may send 100 in a minute: 100 are answered, exactly, and
// the others learn when to come again.
func TestLimitsOfTwoGateways(t *testing.T) {
	const secret = "correct-horse-battery-staple"
	config := fmt.Sprintf(`
access: {keys: [{name: shop, key_file: %s}]}
limits: {store: redis, when_down: refuse, each_key: {requests_per_minute: 100}}
stores: {redis: {addresses: [%q], timeout: 5s}}
models: {one: {path: %q, context: 2048, slots: 8, threads: 1}}
routes: [{path: /v1/chat, models: [one]}]
`, writeFile(t, "key", secret), redistest.Start(t).Address, demo(t, demoModel))
	gateways := []*server{start(t, config).ready(t), start(t, config).ready(t)}
	var passed, refused atomic.Int64
	var group sync.WaitGroup
	for i := range 200 {
		group.Go(func() {
			status, header, body := gateways[i%2].do(t, http.MethodPost, "/v1/chat", secret, "", question("你好", `"max_tokens":1`))
			switch {
			case status == http.StatusOK:
				passed.Add(1)
			case status == http.StatusTooManyRequests && strings.Contains(body, "rate_limit_exceeded") && header.Get("Retry-After") != "" &&
				header.Get("X-Ratelimit-Limit-Requests") == "100" && header.Get("X-Ratelimit-Remaining-Requests") == "0":
				refused.Add(1)
			default:
				t.Errorf("%d: %s", status, body)
			}
		})
	}
	group.Wait()
	if passed.Load() != 100 || refused.Load() != 100 {
		t.Errorf("%d passed and %d were refused, want 100 and 100", passed.Load(), refused.Load())
	}
}

var firstKey = regexp.MustCompile(`(?m)^ key +(sk-bendi-[A-Z2-7]+)$`)

// command runs bendi in a folder to its end, with some input.
func command(t *testing.T, dir, stdin string, args ...string) result {
	t.Helper()
	cmd := bendiIn(t, dir, args...)
	cmd.Stdin = strings.NewReader(stdin)
	return finish(t, cmd)
}

// TestFirstKey starts a server that other machines can reach. It makes a key and
// shows it once; keys that are made and revoked meanwhile count within a second.
func TestFirstKey(t *testing.T) {
	dir := t.TempDir()
	serve := func() *server {
		s := started(t, bendiIn(t, dir, "serve", "--listen", "0.0.0.0:0"))
		return s.ready(t)
	}
	s := serve()
	shown := firstKey.FindStringSubmatch(s.stdout.String())
	if shown == nil {
		t.Fatalf("no key is shown%v", s)
	}
	status := func(s *server, key string) int {
		status, _, _ := s.do(t, http.MethodGet, "/v1/models", key, "", "")
		return status
	}
	if got := status(s, shown[1]); got != http.StatusOK {
		t.Errorf("with the key: %d%v", got, s)
	}
	for _, wrong := range []string{"", "sk-bendi-", "' OR 1=1--", shown[1][:20], strings.Repeat("x", 20_000)} {
		if got := status(s, wrong); got != http.StatusUnauthorized {
			t.Errorf("with a key of %d bytes: %d", len(wrong), got)
		}
	}
	if !strings.Contains(s.stdout.String(), "in clear") {
		t.Errorf("it does not warn of keys in clear%v", s)
	}
	s.signal(t, syscall.SIGTERM)
	s.exit(t, within(10*time.Second))
	if s = serve(); firstKey.MatchString(s.stdout.String()) {
		t.Errorf("a second key is made at the second start%v", s)
	}
	if got := status(s, shown[1]); got != http.StatusOK {
		t.Errorf("after a restart: %d%v", got, s)
	}
	made := command(t, dir, "", "key", "create", "shop", "--model", "bendi-demo", "--route", "/v1/chat")
	made.want(t, 0, "sk-bendi-", "shown this once")
	shop := strings.TrimSpace(made.stdout)
	eventually(t, within(time.Second), "a key that is made counts", func() bool { return status(s, shop) == http.StatusOK })
	if _, _, body := s.do(t, http.MethodGet, "/v1/models", shop, "", ""); strings.Contains(body, "service") || !strings.Contains(body, "bendi-demo") {
		t.Errorf("the list of a key that may use one model: %s", body)
	}

	// What runs for a key that is revoked is cut short.
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url+"/v1/chat", strings.NewReader(long(t, 1500)))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+shop)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	lines.Scan()
	command(t, dir, "", "key", "revoke", "shop").want(t, 0, "shop is revoked")
	begin := time.Now()
	text := ""
	for lines.Scan() {
		text += lines.Text() + "\n"
	}
	if took := time.Since(begin); !strings.Contains(text, "revoked_api_key") && !strings.Contains(text, "[DONE]") || took > within(time.Second) {
		t.Errorf("%v after it was revoked the stream ended with %.300s", took, text[max(0, len(text)-300):])
	}
	eventually(t, within(time.Second), "a revoked key is refused", func() bool { return status(s, shop) == http.StatusUnauthorized })
	command(t, dir, "", "key", "list").want(t, 0, "shop", "revoked", "default", "active")

	for _, secret := range []string{shown[1], shop} {
		if strings.Contains(s.String(), secret) {
			t.Errorf("the second server prints a key%v", s)
		}
		if found, _ := filepath.Glob(filepath.Join(dir, ".local", "state", "bendi", "*")); len(found) == 0 {
			t.Error("the keys lie somewhere else")
		}
	}
}

// TestSignedTokens signs tokens on the command line and uses them, with the rights of
// an operator to make a key where nobody has one.
func TestSignedTokens(t *testing.T) {
	dir := t.TempDir()
	var random [32]byte
	rand.Read(random[:])
	secret := hex.EncodeToString(random[:])
	file := writeFile(t, "bendi.yaml", fmt.Sprintf(`
access:
  jwt:
    - {name: svc, issuer: here, audience: [bendi], algorithms: [HS256], secret_file: %s, claims: {roles: roles}, admin_role: op, limits: {requests_per_minute: 2}}
`, writeFile(t, "secret", secret)))
	s := started(t, bendiIn(t, dir, "serve", "--listen", "127.0.0.1:0", "--config", file))
	s.ready(t)
	sign := func(args ...string) string {
		r := command(t, dir, "", append([]string{"token", "sign", "--config", file}, args...)...)
		r.want(t, 0)
		return strings.TrimSpace(r.stdout)
	}
	ask := func(token string) int {
		status, _, _ := s.do(t, http.MethodPost, "/v1/chat", token, "", question("你好", `"max_tokens":1`))
		return status
	}
	ann, bob := sign("--user", "ann"), sign("--user", "bob", "--claim", `roles=["op"]`)
	var got []int
	for _, token := range []string{ann, ann, ann, bob, bob[:len(bob)-2], ""} {
		got = append(got, ask(token))
	}
	if fmt.Sprint(got) != "[200 200 429 200 401 401]" {
		t.Errorf("the answers have the statuses %v%v", got, s)
	}
	status, _, body := s.do(t, http.MethodPost, "/admin/keys", ann, "", `{"name":"x"}`)
	if status != http.StatusForbidden {
		t.Errorf("a user makes a key: %d %s", status, body)
	}
	status, _, body = s.do(t, http.MethodPost, "/admin/keys", bob, "", `{"name":"shop","limits":{"concurrent":1}}`)
	var made struct{ Secret string }
	if json.Unmarshal([]byte(body), &made); status != http.StatusOK || ask(made.Secret) != http.StatusOK {
		t.Errorf("an operator makes a key: %d%v", status, s)
	}
	if status, _, body = s.do(t, http.MethodGet, "/admin/keys", bob, "", ""); status != http.StatusOK || !strings.Contains(body, `"shop"`) || strings.Contains(body, "hash") || strings.Contains(body, made.Secret) {
		t.Errorf("the list of the keys: %d %s", status, body)
	}
	if status, _, _ = s.do(t, http.MethodDelete, "/admin/keys", bob, "", `{"name":"shop"}`); status != http.StatusOK || ask(made.Secret) != http.StatusUnauthorized {
		t.Error("a key that an operator has revoked opens something")
	}
	command(t, dir, bob, "token", "verify", "--config", file).want(t, 0, "svc:bob", "admin")
	command(t, dir, bob[:len(bob)-2], "token", "verify", "--config", file).want(t, 3, "its signature is wrong")
	command(t, dir, bob, "token", "revoke", "-", "--config", file).want(t, 0, "is revoked")
	eventually(t, within(time.Second), "a revoked token is refused", func() bool { return ask(bob) == http.StatusUnauthorized })
	for _, word := range []string{secret, ann, bob, made.Secret} {
		if strings.Contains(s.String(), word) {
			t.Errorf("the server prints a secret%v", s)
		}
	}
}

// What is asked wrongly of the commands about keys and tokens is said.
func TestKeyCommandsRefuse(t *testing.T) {
	dir := t.TempDir()
	for _, tt := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"key", "create"}, 2, "accepts 1 arg"},
		{[]string{"key", "create", "a b"}, 1, "the name of a key has"},
		{[]string{"key", "create", "a", "--expires", "soon"}, 2, "--expires: want a time"},
		{[]string{"key", "create", "a", "--expires", "2001-01-01"}, 1, "would have expired already"},
		{[]string{"key", "create", "a", "--label", "x"}, 2, "--label wants NAME=VALUE"},
		{[]string{"key", "create", "a", "--route", "chat"}, 1, "a route is a path"},
		{[]string{"key", "create", "a", "--concurrent", "-1"}, 1, "concurrent is -1"},
		{[]string{"key", "rotate", "a"}, 1, "there is no key"},
		{[]string{"key", "rotate", "a", "--grace", "x"}, 2, "--grace: want how long"},
		{[]string{"key", "revoke", "a"}, 1, "there is no key"},
		{[]string{"key", "list"}, 0, "there is no key"},
		{[]string{"key", "lst"}, 2, "is no command"},
		{[]string{"token", "sign", "--user", "ann"}, 2, "has no issuer"},
		{[]string{"token", "verify", "a.b.c"}, 2, "has no issuer"},
		{[]string{"token", "revoke"}, 2, "want the jti"},
		{[]string{"token", "revoke", "a", "--user", "b"}, 2, "want the jti"},
		{[]string{"token", "revoke", "a"}, 2, "has no issuer"},
		{[]string{"key", "create", "environment"}, 1, "BENDI_API_KEY"},
	} {
		r := command(t, dir, "", tt.args...)
		if r.code != tt.code || !strings.Contains(r.stdout+r.stderr, tt.want) {
			t.Errorf("%v: exit code %d, want %d and %q%v", tt.args, r.code, tt.code, tt.want, r)
		}
	}
}
