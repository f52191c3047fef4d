package e2e_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// A siege is what the rows of [TestSecurity] attack: a server with TLS and keys,
// and one that is open to this machine alone.
type siege struct {
	locked, open *server
	vault        vault
}

// Secrets of the locked server.
const (
	siegeShop     = "shop-key-of-more-than-enough-letters"
	siegeOperator = "operator-key-of-more-than-enough-letters"
	siegeScraper  = "scraper-key-of-more-than-enough-letters"
)

// securityRows are the checks of the list in the security guide, from outside.
// A row is added by adding it here: its number and name there, and what is done.
var securityRows = []struct {
	row, name string
	check     func(*testing.T, *siege)
}{
	{"1", "nothing without a key", nothingWithoutAKey},
	{"2", "operators alone operate", operatorsAlone},
	{"2b", "a path by any other spelling", paths},
	{"2c", "metrics for those who may", metricsForThose},
	{"3", "what is another's", whatIsAnothers},
	{"4", "rights that a body claims", claimedRights},
	{"6", "giant headers and tokens", giantHeaders},
	{"7", "what runs for the revoked", revokedWithin},
	{"8", "the time that a wrong key takes", keyTiming},
	{"9", "many wrong keys", wrongKeys},
	{"11", "foreign origins", foreignOrigins},
	{"12", "foreign hosts", foreignHosts},
	{"13", "smuggled requests", smuggling},
	{"14", "other methods and protocols", otherMethods},
	{"15", "headers of identity and of proxies", identityHeaders},
	{"15b", "several keys", severalKeys},
	{"20", "bodies without end or measure", bodies},
	{"24", "limits of a key from many addresses", claimedAddresses},
	{"25a", "slow headers, slow bodies, idle handshakes", slowClients},
	{"25b", "HTTP/2 resets and idle streams", rapidReset},
	{"27", "lines in the log", logLines},
	{"30a", "TLS as clients see it", tlsAsSeen},
	{"30b", "TLS by sslscan", bySSLScan},
	{"30c", "TLS by testssl.sh", byTestSSL},
	{"h2spec", "HTTP/2 by h2spec", byH2Spec},
	{"acme", "certificates by ACME from Pebble", byPebble},
	{"slowhttptest", "slow clients by slowhttptest", bySlowHTTPTest},
}

// TestSecurity attacks a running server from outside. What needs a program that
// is not installed is skipped, and says so.
func TestSecurity(t *testing.T) {
	s := &siege{vault: newVault(t)}
	config := s.vault.settings("") + fmt.Sprintf("access: {failures_per_minute: 0, keys: [{name: shop, key_file: %s}, {name: operator, admin: true, key_file: %s}, {name: scraper, metrics: true, key_file: %s}]}\n",
		writeFile(t, "shop", siegeShop), writeFile(t, "operator", siegeOperator), writeFile(t, "scraper", siegeScraper))
	s.locked, s.open = start(t, config), start(t, "")
	s.locked.listening(t)
	s.open.listening(t)
	for _, row := range securityRows {
		t.Run(row.row+" "+row.name, func(t *testing.T) {
			row.check(t, s)
			if s.locked.readyzBy(s.vault.client(t, "")) != 200 || s.open.readyz() != 200 {
				t.Fatalf("a server is not ready afterwards%v%v", s.locked, s.open)
			}
		})
	}
	for _, server := range []*server{s.locked, s.open} {
		if text := server.String(); strings.Contains(text, siegeShop) || strings.Contains(text, siegeOperator) || strings.Contains(text, "panic") {
			t.Errorf("a secret or a panic is printed%v", server)
		}
	}
}

// ask sends a request to the locked server, and returns its status.
func (s *siege) ask(t *testing.T, method, path, key string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, s.locked.url+path, strings.NewReader(`{}`))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	if key != "" {
		req.Header.Set("Authorization", "Bearer "+key)
	}
	resp, err := s.vault.client(t, "").Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode
}

// raw sends bytes to a server, in pieces if there are several, and returns what
// comes back until it closes the connection, or has nothing more to say.
func (s *siege) raw(t *testing.T, server *server, pieces ...string) (text string, closed bool) {
	t.Helper()
	scheme, addr, _ := strings.Cut(server.url, "://")
	conn, err := net.DialTimeout("tcp", addr, 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if scheme == "https" {
		c := s.vault.trust(t)
		c.ServerName = "localhost"
		c.NextProtos = []string{"http/1.1"}
		conn = tls.Client(conn, c)
	}
	conn.SetDeadline(time.Now().Add(within(5 * time.Second)))
	for _, piece := range pieces {
		if _, err := io.WriteString(conn, piece); err != nil {
			break // it has heard enough
		}
	}
	conn.SetReadDeadline(time.Now().Add(1500 * time.Millisecond))
	out, err := io.ReadAll(conn)
	timeout, isNet := errors.AsType[net.Error](err)
	return string(out), !(isNet && timeout.Timeout())
}

var statusLine = regexp.MustCompile(`(?m)^HTTP/1\.[01] (\d{3}) `)

// statuses returns those of all responses in a text.
func statuses(text string) []int {
	var all []int
	for _, m := range statusLine.FindAllStringSubmatch(text, -1) {
		n, _ := strconv.Atoi(m[1])
		all = append(all, n)
	}
	return all
}

var operatorPaths = []string{"POST /admin/reload", "GET /admin/adapters", "POST /admin/adapters/load", "POST /admin/adapters/unload", "POST /admin/explain"}

func nothingWithoutAKey(t *testing.T, s *siege) {
	for _, route := range append(operatorPaths, "POST /v1/chat", "POST /v1/chat/completions", "POST /v1/completions", "POST /v1/messages", "POST /v1/embeddings", "POST /v1/rerank",
		"POST /v1/tokenize", "POST /v1/detokenize", "POST /v1/moderations", "GET /v1/models", "GET /v1/models/bendi-demo", "GET /metrics", "GET /v1/sessions", "POST /v1/feedback", "GET /nowhere", "DELETE /v1/sessions/x", "HEAD /metrics", "PUT /v1/chat") {
		method, path, _ := strings.Cut(route, " ")
		for _, key := range []string{"", "wrong", siegeShop + "x", siegeShop[:len(siegeShop)-1], "' OR 1=1--", "\x7f"} {
			if strings.ContainsRune(key, 0x7f) {
				continue // net/http does not send it
			}
			if status := s.ask(t, method, path, key); status != http.StatusUnauthorized {
				t.Errorf("%s with the key %q: %d, want 401", route, key, status)
			}
		}
	}
	for _, path := range []string{"/healthz", "/readyz"} {
		if status := s.ask(t, "GET", path, ""); status != http.StatusOK {
			t.Errorf("%s: %d, want 200", path, status)
		}
	}
}

func operatorsAlone(t *testing.T, s *siege) {
	for _, route := range operatorPaths {
		method, path, _ := strings.Cut(route, " ")
		if status := s.ask(t, method, path, siegeShop); status != http.StatusForbidden {
			t.Errorf("%s with a key that may not: %d, want 403", route, status)
		}
	}
	if status := s.ask(t, "GET", "/admin/adapters", siegeOperator); status != http.StatusOK {
		t.Errorf("with a key that may: %d, want 200", status)
	}
}

func metricsForThose(t *testing.T, s *siege) {
	for key, want := range map[string]int{"": 401, siegeShop: 403, siegeScraper: 200, siegeOperator: 200} {
		if status := s.ask(t, "GET", "/metrics", key); status != want {
			t.Errorf("with the key %q: %d, want %d", key, status, want)
		}
	}
	for _, path := range []string{"POST /v1/chat", "POST /v1/embeddings", "POST /admin/reload", "GET /admin/keys"} {
		method, path, _ := strings.Cut(path, " ")
		if status := s.ask(t, method, path, siegeScraper); status != http.StatusForbidden {
			t.Errorf("%s with the key of the metrics: %d, want 403", path, status)
		}
	}
}

// keyTiming measures how long keys take to be refused that are right to different
// lengths. What tells them apart is the hash of all of it, so that nothing can be
// seen; a comparison that takes long for each right letter would be.
func keyTiming(t *testing.T, s *siege) {
	if os.Getenv("BENDI_SECURITY") == "" {
		t.Skip("is about time; `make security` runs it")
	}
	const rounds = 1500
	client := s.vault.client(t, "")
	lengths := []int{0, 1, len(siegeShop) / 2, len(siegeShop) - 1}
	took := make([][]time.Duration, len(lengths))
	for round := range rounds {
		for i := range lengths {
			at := (i + round) % len(lengths) // none always follows another
			key := siegeShop[:lengths[at]] + strings.Repeat("!", len(siegeShop)-lengths[at])
			req, err := http.NewRequestWithContext(t.Context(), "GET", s.locked.url+"/v1/models", nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Authorization", "Bearer "+key)
			begin := time.Now()
			resp, err := client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			took[at] = append(took[at], time.Since(begin))
			io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
			if resp.StatusCode != http.StatusUnauthorized {
				t.Fatalf("a wrong key: %d", resp.StatusCode)
			}
		}
	}
	var medians []time.Duration
	for _, all := range took {
		slices.Sort(all)
		medians = append(medians, all[len(all)/2])
	}
	t.Logf("medians by right letters %v: %v", lengths, medians)
	if low, high := slices.Min(medians), slices.Max(medians); high-low > low/5 {
		t.Errorf("the medians by right letters %v are %v: more than a fifth apart", lengths, medians)
	}
}

// wrongKeys sends more than may fail in a minute. Whoever has a right key is
// answered all the same, from the same address.
func wrongKeys(t *testing.T, s *siege) {
	server := start(t, fmt.Sprintf("access: {failures_per_minute: 10, keys: [{name: shop, key_file: %s}]}\n", writeFile(t, "shop", siegeShop)))
	server.listening(t)
	counts := make(map[int]int)
	for i := range 60 {
		status, header, body := server.do(t, "GET", "/v1/models", fmt.Sprintf("wrong-%d", i), "", "")
		counts[status]++
		if status == http.StatusTooManyRequests && (header.Get("Retry-After") == "" || header.Get("X-Should-Retry") != "false" || !strings.Contains(body, "too_many_failures")) {
			t.Errorf("who has to wait is told %v %s", header, body)
		}
		if i%20 == 0 {
			if status, _, _ := server.do(t, "GET", "/v1/models", siegeShop, "", ""); status != 200 {
				t.Errorf("a right key behind the same address: %d", status)
			}
		}
	}
	if counts[401] < 10 || counts[429] < 10 || counts[401]+counts[429] != 60 {
		t.Errorf("60 wrong keys are answered with %v, want 401 for the first 10 and a few more as time goes by, and 429", counts)
	}
	// A request without a key, and a right one elsewhere, is no guess.
	if status, _, _ := server.do(t, "GET", "/v1/models", "", "", ""); status != 401 {
		t.Errorf("without a key: %d", status)
	}
	eventually(t, within(5*time.Second), "a line that says so", func() bool {
		return strings.Count(server.stderr.String(), "many wrong keys come from one address") >= 1
	})
	if lines := strings.Count(server.stderr.String(), "status=429"); lines > 2 {
		t.Errorf("%d lines of those who have to wait, want one a minute", lines)
	}
}

// paths ask for what an operator may by other spellings: each is the same as
// the path itself, or nothing.
func paths(t *testing.T, s *siege) {
	for _, path := range []string{"/v1/../admin/adapters", "//admin/adapters", "/admin//adapters", "/%2e%2e/admin/adapters", "/v1/%2e%2e/admin/adapters", "/admin;x/adapters", "/ADMIN/adapters", "/admin%2fadapters", "/admin%5cadapters", "/admin\\adapters", "/admin/adapters/", "/admin/adapters%00", "/admin/adapters%20", "/./admin/adapters", "/healthz/../admin/adapters", "/admin/adapters?x=/healthz", "/healthz;/../admin/adapters"} {
		for name, key := range map[string]string{"none": "", "shop": siegeShop} {
			text, _ := s.raw(t, s.locked, "GET "+path+" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Bearer "+key+"\r\n\r\n")
			if got := statuses(text); len(got) != 1 || got[0] < 400 {
				t.Errorf("%s with the key %s: %v, want one refusal", path, name, got)
			}
		}
	}
}

func giantHeaders(t *testing.T, s *siege) {
	before := memory(t, s.locked.cmd.Process.Pid, "VmRSS")
	for name, header := range map[string]string{
		"one of 64 KB":      "X: " + strings.Repeat("x", 64<<10) + "\r\n",
		"a token of 1 MB":   "Authorization: Bearer " + strings.Repeat("a.", 512<<10) + "\r\n",
		"10000 headers":     strings.Repeat("X: y\r\n", 10_000),
		"10000 cookies":     "Cookie: " + strings.Repeat("a=b; ", 10_000) + "\r\n",
		"a baggage of 1 MB": "Baggage: " + strings.Repeat("k=v,", 256<<10) + "\r\n",
	} {
		for range 3 {
			text, closed := s.raw(t, s.locked, "GET /v1/models HTTP/1.1\r\nHost: localhost\r\n"+header+"\r\n")
			if got := statuses(text); !closed || len(got) > 1 || len(got) == 1 && got[0] != http.StatusRequestHeaderFieldsTooLarge {
				t.Errorf("%s: %v, closed = %v; want 431 and the end", name, got, closed)
			}
		}
	}
	if more := memory(t, s.locked.cmd.Process.Pid, "VmRSS") - before; more > 64<<20 {
		t.Errorf("took %d MB of memory", more>>20)
	}
}

func foreignOrigins(t *testing.T, s *siege) {
	body := question("你好", `"max_tokens":2`)
	for origin, want := range map[string]int{
		"https://evil.example": 403, "null": 403, "http://localhost.evil.example": 403, "http://127.0.0.1.evil.example:8080": 403, "http://evil.example/127.0.0.1": 403, "file://evil.example.": 200, "http://localhost:3000": 200, "http://127.0.0.1": 200,
	} {
		text, _ := s.raw(t, s.open, fmt.Sprintf("POST /v1/chat HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: %s\r\nContent-Type: text/plain\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s", origin, len(body), body))
		if got := statuses(text); len(got) != 1 || got[0] != want {
			t.Errorf("%s: %v, want %d", origin, got, want)
		}
		if want != 200 && strings.Contains(strings.ToLower(text), "access-control-allow-origin") {
			t.Errorf("%s may see the answer", origin)
		}
		pre, _ := s.raw(t, s.open, fmt.Sprintf("OPTIONS /v1/chat HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: %s\r\nAccess-Control-Request-Method: POST\r\nConnection: close\r\n\r\n", origin))
		if allowed := strings.Contains(strings.ToLower(pre), "access-control-allow-origin"); allowed != (want == 200) || strings.Contains(strings.ToLower(pre), "allow-credentials") {
			t.Errorf("%s: asked beforehand, allowed = %v", origin, allowed)
		}
	}
}

func foreignHosts(t *testing.T, s *siege) {
	for head, want := range map[string]int{
		"GET /v1/models HTTP/1.1\r\nHost: evil.example\r\n":                        421,
		"GET /admin/adapters HTTP/1.1\r\nHost: evil.example:8080\r\n":              421,
		"GET http://evil.example/v1/models HTTP/1.1\r\nHost: 127.0.0.1\r\n":        421,
		"GET /v1/models HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: evil.example\r\n":     400,
		"GET /v1/models HTTP/1.1\r\n":                                              400,
		"GET /v1/models HTTP/1.1\r\nHost: 127.0.0.1, evil.example\r\n":             400,
		"GET /v1/models HTTP/1.1\r\nHost: 127.0.0.1@evil.example\r\n":              400,
		"GET /v1/models HTTP/1.1\r\nHost: x\r\nX-Forwarded-Host: localhost\r\n":    421,
		"GET /v1/models HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-Host: evil\r\n": 200,
	} {
		text, _ := s.raw(t, s.open, head+"Connection: close\r\n\r\n")
		if got := statuses(text); len(got) != 1 || got[0] != want {
			t.Errorf("%q: %v, want %d", head, got, want)
		}
	}
}

// smuggling sends requests of which two parsers could see different ends. A
// second one in what one of them takes for the body is never answered.
func smuggling(t *testing.T, s *siege) {
	const hidden = "GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n"
	post := func(headers, body string) string {
		return "POST /v1/chat HTTP/1.1\r\nHost: localhost\r\n" + headers + "\r\n" + body
	}
	length := func(n int) string { return fmt.Sprintf("Content-Length: %d\r\n", n) }
	const chunked = "Transfer-Encoding: chunked\r\n"
	tests := []struct{ name, text string }{
		{"length and chunks", post(length(4)+chunked, "0\r\n\r\n"+hidden)},
		{"chunks and length", post(chunked+length(len(hidden)+5), "0\r\n\r\n"+hidden)},
		{"two lengths", post(length(2)+length(2+len(hidden)), "{}"+hidden)},
		{"a list of lengths", post("Content-Length: 2, 50\r\n", "{}"+hidden)},
		{"a length with a sign", post("Content-Length: +2\r\n", "{}"+hidden)},
		{"a negative length", post("Content-Length: -1\r\n", "{}"+hidden)},
		{"a length in hex", post("Content-Length: 0x2\r\n", "{}"+hidden)},
		{"a length with a space", post("Content-Length: 2 0\r\n", "{}"+hidden)},
		{"xchunked", post("Transfer-Encoding: xchunked\r\n", "0\r\n\r\n"+hidden)},
		{"chunked twice", post(chunked+chunked, "0\r\n\r\n"+hidden)},
		{"chunked and identity", post("Transfer-Encoding: chunked, identity\r\n", "0\r\n\r\n"+hidden)},
		{"identity", post("Transfer-Encoding: identity\r\n"+length(2), "{}"+hidden)},
		{"a space before the colon", post("Transfer-Encoding : chunked\r\n"+length(2), "0\r\n\r\n"+hidden)},
		{"a tab before the value", post("Transfer-Encoding:\tchunked\r\n"+length(2), "0\r\n\r\n"+hidden)},
		{"a folded header", post("Transfer-Encoding:\r\n chunked\r\n"+length(2), "0\r\n\r\n"+hidden)},
		{"a line that begins with a space", post(" Transfer-Encoding: chunked\r\n"+length(2), "0\r\n\r\n"+hidden)},
		{"a bare CR in a header", post("X: a\rTransfer-Encoding: chunked\r\n"+length(2), "0\r\n\r\n"+hidden)},
		{"a NUL in a header", post("X: a\x00b\r\n"+length(2), "0\r\n\r\n"+hidden)},
		{"a bare LF behind a size", post(chunked, "2\n{}\r\n0\r\n\r\n"+hidden)},
		{"a bare LF behind a chunk", post(chunked, "2\r\n{}\n0\r\n\r\n"+hidden)},
		{"an extension with a bare LF", post(chunked, "2;x\ny\r\n{}\r\n0\r\n\r\n"+hidden)},
		{"an extension", post(chunked, "2;a=b\r\n{}\r\n0\r\n\r\n"+hidden)},
		{"a size with a prefix", post(chunked, "0x2\r\n{}\r\n0\r\n\r\n"+hidden)},
		{"a size that is too large", post(chunked, "FFFFFFFFFFFFFFFFF\r\n{}\r\n0\r\n\r\n"+hidden)},
		{"a negative size", post(chunked, "-2\r\n{}\r\n0\r\n\r\n"+hidden)},
		{"chunks in HTTP/1.0", "POST /v1/chat HTTP/1.0\r\nHost: localhost\r\n" + chunked + "\r\n0\r\n\r\n" + hidden},
		{"a trailer of lengths", post(chunked, "0\r\nContent-Length: 50\r\n\r\n"+hidden)},
		{"an underscore", post("Transfer_Encoding: chunked\r\nConnection: close\r\n"+length(2), "{}"+hidden)},
		{"two request lines", "GET /healthz HTTP/1.1 HTTP/1.1\r\nHost: localhost\r\n\r\n" + hidden},
		{"a CRLF in the path", "GET /healthz%0d%0aHost:%20evil HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n" + hidden},
	}
	for _, tt := range tests {
		text, closed := s.raw(t, s.open, tt.text)
		got := statuses(text)
		if len(got) > 1 || !closed {
			t.Errorf("%s: answered %v, closed = %v; want one answer and the end", tt.name, got, closed)
		}
		if len(got) == 1 && got[0] < 400 {
			t.Errorf("%s: answered %v, want a refusal", tt.name, got)
		}
	}
	if strings.Contains(s.open.stderr.String(), "/smuggled") {
		t.Errorf("a smuggled request was answered%v", s.open)
	}
}

func otherMethods(t *testing.T, s *siege) {
	for head, want := range map[string]int{
		"TRACE /v1/chat HTTP/1.1\r\nHost: localhost\r\n":                                                                                                 405,
		"CONNECT other.example:443 HTTP/1.1\r\nHost: other.example:443\r\n":                                                                              421,
		"CONNECT localhost:443 HTTP/1.1\r\nHost: localhost:443\r\n":                                                                                      405,
		"PROPFIND / HTTP/1.1\r\nHost: localhost\r\n":                                                                                                     405,
		"GET /v1/models HTTP/1.1\r\nHost: localhost\r\nX-HTTP-Method-Override: DELETE\r\n":                                                               200,
		"GET /healthz HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade, close\r\n":                                               200,
		"GET /healthz HTTP/1.1\r\nHost: localhost\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\nConnection: Upgrade, HTTP2-Settings, close\r\n": 200,
	} {
		if !strings.Contains(head, "Connection:") {
			head += "Connection: close\r\n"
		}
		text, _ := s.raw(t, s.open, head+"\r\n")
		if got := statuses(text); len(got) != 1 || got[0] != want {
			t.Errorf("%q: %v, want %d", head, got, want)
		}
	}
	if text, closed := s.raw(t, s.open, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"); !closed || strings.Contains(text, "\x00\x00\x00\x04") {
		t.Errorf("HTTP/2 without TLS: %q, closed = %v", text, closed)
	}
}

// whatIsAnothers asks for a session of another key, which is as one that there is
// not.
func whatIsAnothers(t *testing.T, s *siege) {
	ask := func(method, path, key, body string) (int, string) {
		text, _ := s.raw(t, s.locked, fmt.Sprintf("%s %s HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: same\r\nAuthorization: Bearer %s\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", method, path, key, len(body), body))
		_, answer, _ := strings.Cut(text, "\r\n\r\n")
		if got := statuses(text); len(got) == 1 {
			return got[0], answer
		}
		return 0, text
	}
	if status, body := ask("POST", "/v1/chat", siegeShop, question("你好", `"max_tokens":2`, `"session_id":"mine"`)); status != 200 {
		t.Fatalf("a turn of a session: %d %s", status, body)
	}
	if status, body := ask("GET", "/v1/sessions/mine", siegeShop, ""); status != 200 {
		t.Errorf("its own session: %d %s", status, body)
	}
	for _, path := range []string{"/v1/sessions/%s", "/v1/sessions/%s/export", "/v1/responses/%s", "/v1/conversations/%s"} {
		for _, method := range []string{"GET", "DELETE"} {
			there, body := ask(method, fmt.Sprintf(path, "mine"), siegeScraper, "")
			nowhere, other := ask(method, fmt.Sprintf(path, "none"), siegeScraper, "")
			if there != nowhere || body != other || there < 400 {
				t.Errorf("%s %s of another key: %d %s; of nobody's: %d %s", method, path, there, body, nowhere, other)
			}
		}
	}
	if status, _ := ask("GET", "/v1/sessions?key=shop", siegeScraper, ""); status != 403 {
		t.Errorf("the list of another key's sessions: %d", status)
	}
	if status, body := ask("GET", "/v1/sessions/mine", siegeShop, ""); status != 200 {
		t.Errorf("its own session, afterwards: %d %s", status, body)
	}
}

// claimedRights are fields by which a body would make more of whoever sends it.
func claimedRights(t *testing.T, s *siege) {
	for _, field := range []string{`"role":"admin"`, `"scopes":["*"]`, `"is_admin":true`, `"admin":true`, `"tenant":"operator"`, `"principal":"operator"`, `"key":"operator"`, `"quota":1000000`, `"priority":-10`} {
		status, _, body := s.open.do(t, "POST", "/v1/chat", "", "", question("你好", `"max_tokens":1`, field))
		if status != 200 && status != 400 {
			t.Errorf("%s: %d %s", field, status, body)
		}
		text, _ := s.raw(t, s.locked, fmt.Sprintf("POST /admin/reload HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\nConnection: close\r\nContent-Length: %d\r\n\r\n{%s}", siegeShop, len(field)+2, field))
		if got := statuses(text); len(got) != 1 || got[0] != 403 {
			t.Errorf("%s of an operator's action: %v, want 403", field, got)
		}
	}
}

// claimedAddresses sends more than a key may, each time as if from elsewhere.
func claimedAddresses(t *testing.T, _ *siege) {
	server := start(t, fmt.Sprintf("access: {keys: [{name: shop, key_file: %s, limits: {requests_per_minute: 3}}]}\n", writeFile(t, "shop", siegeShop)))
	server.listening(t)
	counts := make(map[int]int)
	for i := range 9 {
		req, err := http.NewRequestWithContext(t.Context(), "POST", server.url+"/v1/moderations", strings.NewReader(`{"input":"a"}`))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+siegeShop)
		for _, name := range []string{"X-Forwarded-For", "X-Real-Ip", "Forwarded", "X-Client-Ip"} {
			req.Header.Set(name, fmt.Sprintf("203.0.113.%d", i))
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		counts[resp.StatusCode]++
		if resp.StatusCode == 429 && resp.Header.Get("Retry-After") == "" {
			t.Error("429 without Retry-After")
		}
	}
	if counts[200] != 3 || counts[429] != 6 {
		t.Errorf("9 requests of a key that may send 3 in a minute: %v", counts)
	}
}

// severalKeys are requests of which two readers could see different keys.
func severalKeys(t *testing.T, s *siege) {
	for headers, want := range map[string]int{
		"Authorization: Bearer " + siegeShop + "\r\nAuthorization: Bearer " + siegeOperator + "\r\n": 401,
		"Authorization: Bearer x\r\nX-Api-Key: " + siegeShop + "\r\n":                                401, // Authorization counts
		"Authorization: Basic eDp5\r\nX-Api-Key: " + siegeShop + "\r\n":                              200,
		"Authorization: Bearer " + siegeShop + ", Bearer " + siegeOperator + "\r\n":                  401,
		"Authorization: Bearer\r\n":                          401,
		"Cookie: Authorization=Bearer " + siegeShop + "\r\n": 401,
	} {
		text, _ := s.raw(t, s.locked, "GET /v1/models HTTP/1.1\r\nHost: localhost\r\n"+headers+"Connection: close\r\n\r\n")
		if got := statuses(text); len(got) != 1 || got[0] != want {
			t.Errorf("%q: %v, want %d", headers, got, want)
		}
	}
	if status := s.ask(t, "GET", "/v1/models?api_key="+siegeShop+"&key="+siegeShop, ""); status != 401 {
		t.Errorf("a key in the query: %d", status)
	}
}

// identityHeaders are those by which a gateway would tell who asks. From outside
// they say nothing.
func identityHeaders(t *testing.T, s *siege) {
	for _, header := range []string{"X-Bendi-Principal: operator", "X-Bendi-Priority: 10", "X_Bendi_Principal: operator", "X-Forwarded-For: 127.0.0.1", "X-Real-Ip: 127.0.0.1", "X-User: operator", "X-Forwarded-User: operator", "Forwarded: for=127.0.0.1", "Connection: Authorization"} {
		text, _ := s.raw(t, s.locked, "GET /admin/adapters HTTP/1.1\r\nHost: localhost\r\n"+header+"\r\nConnection: close\r\n\r\n")
		if got := statuses(text); len(got) != 1 || got[0] != http.StatusUnauthorized {
			t.Errorf("%s: %v, want 401", header, got)
		}
	}
}

func bodies(t *testing.T, s *siege) {
	before := memory(t, s.open.cmd.Process.Pid, "VmRSS")
	head := "POST /v1/chat HTTP/1.1\r\nHost: localhost\r\n"
	for name, tt := range map[string]struct {
		text string
		want int
	}{
		"a length of 1 GB":      {head + "Content-Length: 1073741824\r\n\r\n{", 413},
		"chunks without end":    {head + "Transfer-Encoding: chunked\r\n\r\n" + strings.Repeat("100000\r\n"+strings.Repeat("x", 1<<20)+"\r\n", 12), 413},
		"packed":                {head + "Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}", 400},
		"100000 levels":         {head + "Content-Length: 100000\r\n\r\n" + strings.Repeat("[", 100_000), 400},
		"a number of 100000":    {head + "Content-Length: 100006\r\n\r\n" + `{"n":` + strings.Repeat("9", 100_000) + "}", 400},
		"a key that is not one": {head + "Content-Length: 8\r\n\r\n{\"\xff\":1}\n", 400},
	} {
		begin := time.Now()
		text, _ := s.raw(t, s.open, tt.text)
		// What is still being sent when the answer comes can cost it.
		if got := statuses(text); len(got) > 1 || len(got) == 1 && got[0] != tt.want || len(got) == 0 && tt.want != 413 {
			t.Errorf("%s: %v, want %d", name, got, tt.want)
		}
		if took := time.Since(begin); took > within(5*time.Second) {
			t.Errorf("%s: took %v", name, took)
		}
	}
	if more := memory(t, s.open.cmd.Process.Pid, "VmRSS") - before; more > 64<<20 {
		t.Errorf("took %d MB of memory", more>>20)
	}
}

// slowClients hold connections: some send a header every now and then, some a
// body, some nothing after they have connected. Others do not notice, and they
// are cut off in the end. It takes as long as the limits do.
func slowClients(t *testing.T, s *siege) {
	const each = 20
	var wg sync.WaitGroup
	cut := make(chan time.Duration, 3*each)
	addr := strings.TrimPrefix(s.locked.url, "https://")
	hold := func(secure bool, head string, drip string) {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		if secure {
			c := s.vault.trust(t)
			c.ServerName = "localhost"
			conn = tls.Client(conn, c)
		}
		begin := time.Now()
		conn.SetDeadline(begin.Add(within(60 * time.Second)))
		gone := make(chan struct{})
		go func() {
			io.Copy(io.Discard, conn)
			close(gone)
		}()
		io.WriteString(conn, head)
		for {
			select {
			case <-gone:
				cut <- time.Since(begin)
				return
			case <-time.After(time.Second):
				io.WriteString(conn, drip)
			}
		}
	}
	for range each {
		wg.Go(func() { hold(true, "GET /v1/models HTTP/1.1\r\nHost: localhost\r\n", "X: y\r\n") })
		wg.Go(func() {
			hold(true, "POST /v1/chat HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer "+siegeShop+"\r\nContent-Length: 10000\r\n\r\n{", " ")
		})
		wg.Go(func() { hold(false, "", "") })
	}
	begin := time.Now()
	if status := s.ask(t, "GET", "/v1/models", siegeShop); status != 200 || time.Since(begin) > within(2*time.Second) {
		t.Errorf("others: %d after %v", status, time.Since(begin))
	}
	wg.Wait()
	close(cut)
	for took := range cut {
		if took > within(45*time.Second) {
			t.Errorf("one was cut off after %v", took)
		}
	}
}

// rapidReset opens streams and takes them back, as fast as it can for a while
// (CVE-2023-44487). Others are answered meanwhile.
func rapidReset(t *testing.T, s *siege) {
	client := s.vault.client(t, "")
	end := time.Now().Add(3 * time.Second)
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			for time.Now().Before(end) {
				req, _ := http.NewRequest("POST", s.locked.url+"/v1/chat", strings.NewReader(question("你好")))
				ctx, cancel := deadline(time.Millisecond)
				req.Header.Set("Authorization", "Bearer "+siegeShop)
				if resp, err := client.Do(req.WithContext(ctx)); err == nil {
					resp.Body.Close()
				}
				cancel()
			}
		})
	}
	time.Sleep(time.Second)
	begin := time.Now()
	if status := s.ask(t, "GET", "/v1/models", siegeShop); status != 200 || time.Since(begin) > within(3*time.Second) {
		t.Errorf("others: %d after %v", status, time.Since(begin))
	}
	wg.Wait()
}

func logLines(t *testing.T, s *siege) {
	for _, path := range []string{"/nowhere%0atime=2000-01-01T00:00:00Z%20level=ERROR%20msg=forged", "/nowhere%1b[31mforged", "/nowhere%0dforged", "/nowhere%e2%80%a8forged"} {
		s.raw(t, s.open, "GET "+path+" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
	}
	// A line is written once its answer has gone out.
	eventually(t, within(5*time.Second), "a line for each of 4 requests", func() bool {
		return strings.Count(s.open.stderr.String(), "forged") >= 4
	})
	for line := range strings.Lines(s.open.stderr.String()) {
		if !strings.Contains(line, "forged") {
			continue
		}
		if !strings.HasPrefix(line, "time=") || !strings.Contains(line, "msg=request") || strings.ContainsAny(line, "\x1b\r\u2028") {
			t.Errorf("the log has the line %q", line)
		}
	}
}

func tlsAsSeen(t *testing.T, s *siege) {
	addr := strings.TrimPrefix(s.locked.url, "https://")
	run(t, "", "tls", "check", addr, "--name", "localhost", "--root", s.vault.file("ca.pem")).want(t, 0, "TLS 1.3, TLS 1.2, nothing older", "ok    ciphers", "ok    chain")
	text, _ := s.raw(t, s.locked, "GET / HTTP/1.1\r\nHost: bendi.example\r\nConnection: close\r\n\r\n")
	if !strings.Contains(text, "Strict-Transport-Security: max-age=") {
		t.Errorf("no HSTS in %q", text)
	}
}

// deadline returns a context of its own for a while.
func deadline(d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), d)
}

// have skips a row whose program is not installed.
func have(t *testing.T, names ...string) string {
	t.Helper()
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Skipf("%s is not installed", strings.Join(names, " or "))
	return ""
}

// output runs a program for a while and returns what it prints.
func output(t *testing.T, limit time.Duration, name string, args ...string) string {
	t.Helper()
	ctx, cancel := deadline(limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = t.TempDir()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 5 * time.Second
	out, err := cmd.CombinedOutput()
	if ctx.Err() != nil {
		t.Fatalf("%s did not end within %v\n%s", name, limit, out)
	}
	if _, ended := errors.AsType[*exec.ExitError](err); err != nil && !ended {
		t.Fatalf("%s: %v", name, err)
	}
	return string(out)
}

func bySSLScan(t *testing.T, s *siege) {
	out := output(t, 2*time.Minute, have(t, "sslscan"), "--no-colour", strings.TrimPrefix(s.locked.url, "https://"))
	for _, want := range []string{`SSLv2 +disabled`, `SSLv3 +disabled`, `TLSv1\.0 +disabled`, `TLSv1\.1 +disabled`, `TLSv1\.2 +enabled`, `TLSv1\.3 +enabled`, `not vulnerable to heartbleed`} {
		if !regexp.MustCompile(want).MatchString(out) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	for line := range strings.Lines(out) {
		if fields := strings.Fields(line); len(fields) > 4 && (fields[0] == "Accepted" || fields[0] == "Preferred") && !strings.Contains(line, "GCM") && !strings.Contains(line, "CHACHA20") {
			t.Errorf("a cipher suite that does not seal: %s", line)
		}
	}
}

func byTestSSL(t *testing.T, s *siege) {
	if os.Getenv("BENDI_SECURITY") == "" {
		t.Skip("takes minutes; `make security` runs it")
	}
	out := output(t, 8*time.Minute, have(t, "testssl", "testssl.sh"), "--color", "0", "--quiet", "--warnings", "batch", "--protocols", "--std", "--fs", "--vulnerable", "--add-ca", s.vault.file("ca.pem"), strings.TrimPrefix(s.locked.url, "https://"))
	for line := range strings.Lines(out) {
		if strings.Contains(line, "VULNERABLE") && !strings.Contains(line, "not vulnerable") || strings.Contains(line, "NOT ok") {
			t.Errorf("%s", line)
		}
	}
	if !strings.Contains(out, "TLS 1.3") {
		t.Errorf("testssl.sh says %s", out)
	}
}

// byH2Spec has h2spec try HTTP/2. What Go's own server does not pass, we do not
// either: at the least 139 of 145.
func byH2Spec(t *testing.T, s *siege) {
	path := security(t, "h2spec")
	host, port, err := net.SplitHostPort(strings.TrimPrefix(s.locked.url, "https://"))
	if err != nil {
		t.Fatal(err)
	}
	out := output(t, 5*time.Minute, path, "-t", "-k", "-h", host, "-p", port, "-P", "/healthz", "-o", "5")
	found := regexp.MustCompile(`(\d+) tests, (\d+) passed, (\d+) skipped, (\d+) failed`).FindStringSubmatch(out)
	if found == nil {
		t.Fatalf("h2spec says %s", tail(out))
	}
	t.Log(found[0])
	if passed, _ := strconv.Atoi(found[2]); passed < 139 {
		t.Errorf("%s, want 139 at the least\n%s", found[0], out)
	}
}

func bySlowHTTPTest(t *testing.T, s *siege) {
	if os.Getenv("BENDI_SECURITY") == "" {
		t.Skip("takes a minute; `make security` runs it")
	}
	path := have(t, "slowhttptest")
	for name, mode := range map[string][]string{"headers": {"-H"}, "bodies": {"-B"}, "reads": {"-X", "-w", "10", "-y", "20", "-n", "5", "-z", "32"}} {
		args := append(mode, "-c", "200", "-r", "100", "-i", "5", "-x", "20", "-l", "15", "-p", "3", "-u", s.open.url+"/v1/models")
		out := output(t, time.Minute, path, args...)
		if !strings.Contains(out, "service available:") {
			t.Errorf("%s: slowhttptest says %s", name, out)
		}
		last := out[strings.LastIndex(out, "service available:"):]
		if !strings.HasPrefix(strings.Join(strings.Fields(plainText(last)), " "), "service available: YES") {
			t.Errorf("%s: others are not answered: %s", name, last)
		}
	}
}

// plainText takes the colours out of what a program prints.
func plainText(s string) string {
	return regexp.MustCompile("\x1b\\[[0-9;]*[A-Za-z]").ReplaceAllString(s, "")
}
