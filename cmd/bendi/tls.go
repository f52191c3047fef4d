package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"bendi/access"
	"bendi/config"
	"bendi/internal/certs"
)

func (p *program) tlsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "tls",
		Short: p.say("Make certificates, and find out what is wrong with them", "生成证书，并诊断证书问题"),
	}
	cmd.AddCommand(p.tlsInitCommand(), p.tlsCheckCommand(), p.tlsDoctorCommand())
	return cmd
}

func (p *program) tlsInitCommand() *cobra.Command {
	var o certs.Order
	cmd := &cobra.Command{
		Use:   "init",
		Short: p.say("Make a private CA, and certificates by it", "生成私有 CA 及其签发的证书"),
		Long: p.say(
			"Make a private CA in a folder, a certificate for the server, and one for each client that is named.\nWhere the folder has a CA, that one signs; a new certificate for the server takes the place of the old one.",
			"在文件夹中生成私有 CA、服务器证书，以及每个指定客户端的证书。\n若文件夹中已有 CA，则由它签发；新的服务器证书会替换旧的。"),
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return p.tlsInit(o) },
	}
	f := cmd.Flags()
	f.StringVar(&o.Dir, "dir", "tls", p.say("folder for the files", "文件存放目录"))
	f.StringSliceVar(&o.Hosts, "host", nil, p.say("name or address of the server, such as bendi.example.com; may be repeated", "服务器的名称或地址，例如 bendi.example.com；可重复"))
	f.StringSliceVar(&o.Clients, "client", nil, p.say("name of a client that gets a certificate; may be repeated", "要签发证书的客户端名称；可重复"))
	f.BoolVar(&o.Constrain, "constrain", false, p.say("a new CA can sign for these hosts and what is below them alone", "新 CA 只能为这些主机及其子域签发证书"))
	return cmd
}

// tlsInit makes certificates and says what to do with them.
func (p *program) tlsInit(o certs.Order) error {
	if len(o.Hosts)+len(o.Clients) == 0 {
		return usage(errors.New(p.say("name the server with --host, or a client with --client", "请用 --host 指定服务器，或用 --client 指定客户端")))
	}
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return err
	}
	o.Dir, o.Now = dir, time.Now()
	made, err := certs.Make(o)
	if err != nil {
		return err
	}
	say := func(english, chinese string, args ...any) { fmt.Fprintln(p.stdout, p.sayf(english, chinese, args...)) }
	if made.NewCA {
		say("made a CA           %s\n  its key           %s  (keep it to yourself; who has it can sign for your clients)",
			"已生成 CA           %s\n  CA 私钥           %s（请妥善保管：得到它的人可以签发您的客户端所信任的证书）", made.CA, made.CAKey)
	}
	if made.Server != "" {
		say("for the server      %s\n  its key           %s  (mode 0600)\n", "服务器证书          %s\n  私钥              %s（权限 0600）\n", made.Server, made.ServerKey)
	}
	for _, name := range slices.Sorted(maps.Keys(made.Clients)) {
		say("for client %s\n                    %s\n  its key           %s", "客户端 %s\n                    %s\n  私钥              %s", name, made.Clients[name], certs.KeyBeside(made.Clients[name]))
	}
	if made.Server != "" {
		say(`Serve with it, in bendi.yaml:
  server:
    tls:
      cert_file: %s
      key_file: %s
      root_file: %s

Have clients trust the CA (its certificate, never its key):
  curl           curl --cacert ca.pem https://%s:8080/healthz
  Python SDK     SSL_CERT_FILE=ca.pem
  Node SDK       NODE_EXTRA_CA_CERTS=ca.pem
  bendi chat     SSL_CERT_FILE=ca.pem bendi chat --server https://%[4]s:8080
  Debian/Ubuntu  sudo cp ca.pem /usr/local/share/ca-certificates/bendi.crt && sudo update-ca-certificates
  macOS          sudo security add-trusted-cert -d -k /Library/Keychains/System.keychain ca.pem
  Windows        certutil -addstore -f Root ca.pem
It ends in %d days; this renews it, and the running server takes the new files by itself:
  bendi tls init --dir %s --host %s`,
			`在 bendi.yaml 中启用：
  server:
    tls:
      cert_file: %s
      key_file: %s
      root_file: %s

让客户端信任该 CA（只分发证书，切勿分发私钥）：
  curl           curl --cacert ca.pem https://%s:8080/healthz
  Python SDK     SSL_CERT_FILE=ca.pem
  Node SDK       NODE_EXTRA_CA_CERTS=ca.pem
  bendi chat     SSL_CERT_FILE=ca.pem bendi chat --server https://%[4]s:8080
  Debian/Ubuntu  sudo cp ca.pem /usr/local/share/ca-certificates/bendi.crt && sudo update-ca-certificates
  macOS          sudo security add-trusted-cert -d -k /Library/Keychains/System.keychain ca.pem
  Windows        certutil -addstore -f Root ca.pem
证书 %d 天后过期；用以下命令续期，运行中的服务会自动采用新文件：
  bendi tls init --dir %s --host %s`, made.Server, made.ServerKey, made.CA, urlHost(o.Hosts[0]), certs.LeafDays, dir, strings.Join(o.Hosts, ","))
	}
	if len(made.Clients) > 0 {
		say("Let in only who has a certificate of this CA: server.tls.client_ca_file: %s", "只允许持有该 CA 证书的客户端：server.tls.client_ca_file: %s", made.CA)
	}
	return nil
}

// urlHost writes a host as it stands in a URL.
func urlHost(host string) string {
	if strings.Contains(host, ":") {
		return "[" + host + "]"
	}
	return host
}

func (p *program) tlsCheckCommand() *cobra.Command {
	var name, root, certFile, keyFile, output string
	cmd := &cobra.Command{
		Use:   "check HOST:PORT",
		Short: p.say("Look at a server's TLS from outside", "从外部检查服务器的 TLS"),
		Long: p.say(
			"Look at a server as clients meet it: its chain of certificates and what is missing in it, names, dates, keys,\nversions, ciphers, HTTP/2, stapled OCSP, HSTS, clock. The exit code is 3 where something is wrong.",
			"以客户端的视角检查服务器：证书链及缺失的证书、名称、有效期、密钥、协议版本、加密套件、HTTP/2、\nOCSP 装订、HSTS、时钟。发现问题时退出码为 3。"),
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			t := certs.Target{Address: args[0], Name: name, Say: p.say, Now: time.Now}
			if _, _, err := net.SplitHostPort(t.Address); err != nil && (!strings.Contains(t.Address, ":") || net.ParseIP(strings.Trim(t.Address, "[]")) != nil) {
				t.Address = net.JoinHostPort(strings.Trim(t.Address, "[]"), "443")
			}
			if host, port, err := net.SplitHostPort(t.Address); err != nil || host == "" || port == "" || strings.Contains(args[0], "/") {
				return usage(fmt.Errorf(p.say("want HOST:PORT such as bendi.example.com:443, have %q", "需要 主机:端口，例如 bendi.example.com:443，得到的是 %q"), args[0]))
			}
			var err error
			if t.Roots, err = certs.ReadRoots(root); err != nil {
				return usage(err)
			}
			if certFile != "" || keyFile != "" {
				if t.Client, err = certs.ReadClient(certFile, keyFile); err != nil {
					return usage(err)
				}
			}
			return p.printTLS(certs.Examine(cmd.Context(), t), output)
		},
	}
	f := cmd.Flags()
	f.StringVar(&name, "name", "", p.say("name to ask for (default: the host)", "要访问的名称（默认：主机名）"))
	f.StringVar(&root, "root", "", p.say("FILE with the root of a private CA that clients know", "客户端信任的私有 CA 根证书文件"))
	f.StringVar(&certFile, "cert", "", p.say("FILE with the certificate of a client, for a server that asks for one", "客户端证书文件（服务器要求时）"))
	f.StringVar(&keyFile, "key", "", p.say("FILE with its key", "客户端私钥文件"))
	outputFlag(cmd, p, &output)
	return cmd
}

func (p *program) tlsDoctorCommand() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: p.say("Look at the certificate of the configuration, and at the server that serves it", "检查配置中的证书以及正在使用它的服务"),
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, _, _, err := p.load(nil)
			if err != nil {
				return err
			}
			return p.printTLS(p.examineTLS(cmd.Context(), cfg), output)
		},
	}
	outputFlag(cmd, p, &output)
	return cmd
}

// examineTLS looks at the files of a configuration, and at whether the server
// that runs, if one does, shows what they hold.
func (p *program) examineTLS(ctx context.Context, cfg *config.Config) certs.Findings {
	if !cfg.Server.TLS.On() {
		if access.IsLoopback(cfg.Listen) {
			return certs.Findings{{Check: "tls", Status: certs.OK, Detail: p.say("off; the server can be reached from this machine alone", "未启用；服务仅限本机访问")}}
		}
		return certs.Findings{{Check: "tls", Status: certs.Warn,
			Detail: p.sayf("off, and the server listens on %s: keys and conversations go over the network as they are", "未启用，而服务监听 %s：密钥和对话会在网络上明文传输", cfg.Listen),
			Fix:    p.say("name server.tls.cert_file and key_file (`bendi tls init` makes them), or put a proxy with TLS before it", "请设置 server.tls.cert_file 和 key_file（可用 `bendi tls init` 生成），或在前面放置启用 TLS 的代理")}}
	}
	id, found := certs.Inspect(tlsSettings(cfg.Server.TLS), time.Now(), p.say)
	if id == nil {
		return found
	}
	if cfg.Server.TLS.ACME.On() {
		return append(found, certs.Finding{Check: "tls", Status: certs.OK, Detail: p.sayf("%s; `bendi tls check` looks at what is served", "%s；用 `bendi tls check` 检查实际出示的证书", id)})
	}
	for _, host := range cfg.Server.Hosts {
		if id.Leaf().VerifyHostname(host) != nil {
			found = append(found, certs.Finding{Check: "names", Status: certs.Warn,
				Detail: p.sayf("server.hosts names %s, for which the certificate is not", "server.hosts 中的 %s 不在证书的名称之内", host),
				Fix:    p.say("get a certificate with all names", "请申请包含全部名称的证书")})
		}
	}
	return append(found, p.compareServed(ctx, cfg, id))
}

// compareServed says whether the server that runs shows the certificate in the
// files.
func (p *program) compareServed(ctx context.Context, cfg *config.Config, id *certs.Identity) certs.Finding {
	const check = "served"
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	addr := reachable(cfg.Listen)
	conn, err := (&tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true}}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return certs.Finding{Check: check, Status: certs.OK, Detail: p.sayf("no server with TLS answers at %s now", "当前 %s 没有启用 TLS 的服务", addr)}
	}
	defer conn.Close()
	if shown := conn.(*tls.Conn).ConnectionState().PeerCertificates; len(shown) > 0 && !shown[0].Equal(id.Leaf()) {
		return certs.Finding{Check: check, Status: certs.Fail,
			Detail: p.sayf("the server at %s shows another certificate than the file holds, one until %s", "%s 上的服务出示的证书与文件不同，其有效期至 %s", addr, shown[0].NotAfter.UTC().Format(time.DateOnly)),
			Fix:    p.say("have it take the files with `bendi reload`, which says why if it does not", "请执行 `bendi reload`；若未生效，它会说明原因")}
	}
	return certs.Finding{Check: check, Status: certs.OK, Detail: p.sayf("the server at %s shows this certificate; `bendi tls check` looks at it as clients do", "%s 上的服务出示的就是该证书；用 `bendi tls check` 可以客户端视角检查", addr)}
}

// checkTLS is what the doctor of everything says of TLS: what is wrong, or one
// line.
func (p *program) checkTLS(ctx context.Context, cfg *config.Config) []finding {
	var list []finding
	all := p.examineTLS(ctx, cfg)
	for _, f := range all {
		if f.Status != certs.OK {
			list = append(list, finding{"tls", f.Status, strings.TrimSpace(f.Detail + "\n" + f.Fix)})
		}
	}
	if len(list) == 0 {
		detail := all[0].Detail
		if cfg.Server.TLS.CertFile != "" {
			detail = p.sayf("nothing is wrong with %s", "%s 没有问题", cfg.Server.TLS.CertFile)
		}
		list = append(list, finding{"tls", certs.OK, detail})
	}
	return list
}

// printTLS prints findings as the doctor prints its own.
func (p *program) printTLS(found certs.Findings, output string) error {
	if output == "json" {
		if err := json.NewEncoder(p.stdout).Encode(found); err != nil {
			return err
		}
	} else {
		for _, f := range found {
			detail := strings.ReplaceAll(f.Detail, "\n", "\n                 ")
			fmt.Fprintf(p.stdout, "%-5s %-10s %s\n", f.Status, f.Check, detail)
			if f.Fix != "" {
				fmt.Fprintf(p.stdout, "%17s-> %s\n", "", f.Fix)
			}
		}
		if !found.Failed() {
			fmt.Fprintln(p.stdout, cmp.Or(p.warned(found), p.say("nothing is wrong", "一切正常")))
		}
	}
	if found.Failed() {
		return exitError{code: exitProblems}
	}
	return nil
}

// warned says that there are warnings, where there are.
func (p *program) warned(found certs.Findings) string {
	if n := len(found.Warnings()); n > 0 {
		return p.sayf("nothing is wrong, %d warnings", "没有错误，有 %d 条警告", n)
	}
	return ""
}
