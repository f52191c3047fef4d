package main

import (
	"cmp"
	"crypto/x509"
	"fmt"
	"maps"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"bendi/config"
	"bendi/inference/llamacpp"
	"bendi/models"
)

// printHeader says what is starting, before the models are loaded.
func (p *program) printHeader(origins *config.Origins) {
	source := cmp.Or(origins.File, p.say("built in", "内置"))
	fmt.Fprintf(p.stdout, "bendi %s  (%s: %s)\n", version(), p.say("configuration", "配置"), source)
}

// printHouse says what has started, in numbers, and what to try next. err is
// what is wrong with the models that have failed.
func (p *program) printHouse(h *house, in *front, took time.Duration, err error) {
	cfg, w := h.cfg, p.stdout
	line := func(label, format string, args ...any) {
		pad := max(0, 9-width(label))
		fmt.Fprintf(w, " %s%s%s\n", label, strings.Repeat(" ", pad), fmt.Sprintf(format, args...))
	}
	url := in.url()

	device, library := "", ""
	demo := false
	for _, id := range slices.Sorted(maps.Keys(h.workers)) {
		info, ok := h.workers[id].Info()
		if !ok {
			if h.workers[id].State() == llamacpp.Unloaded {
				line(p.say("model", "模型"), p.say("%s: not loaded yet, at the first request, %s expected", "%s：尚未加载，收到第一个请求时加载，预计占用内存 %s"),
					id, bytesText(h.fits[id].Host.Total()))
			}
			continue
		}
		if info.Device != device || info.Library != library {
			device, library = info.Device, info.Library
			line(p.say("device", "设备"), "%s  (%s)", device, library)
		}
		line(p.say("model", "模型"), p.say(
			"%s: %s, %s, %d conversations of %d tokens, %s in memory (%s expected), loaded in %.1f s",
			"%s：%s，%s，%d 路会话，每路 %d 个 token，占用内存 %s（预计 %s），加载 %.1f 秒"),
			id, info.Model, bytesText(info.SizeBytes), info.Slots, info.Context, bytesText(info.MemoryBytes), bytesText(h.fits[id].Host.Total()), info.LoadTime.Seconds())
		if info.GPULayers > 0 {
			line("", "%s", p.sayf("%d of %d layers on the GPU, %s of its memory expected", "%d/%d 层在 GPU 上，预计占用显存 %s",
				info.GPULayers, info.Layers, bytesText(h.fits[id].GPU.Total())))
		} else if h.fits[id].GPULayers > 0 {
			line("", "%s", p.say("no layer on a GPU: llama.cpp could not use it; `bendi doctor` says why", "没有任何层在 GPU 上：llama.cpp 无法使用 GPU，原因见 `bendi doctor`"))
		}
		demo = demo || filepath.Base(string(cfg.Models[id].Path)) == models.DemoModel
	}
	if text := h.survey.idleGPU(p); text != "" {
		line(p.say("warning", "警告"), "%s", text)
	}
	if demo {
		line(p.say("note", "说明"), "%s", p.say(
			"the demo model only proves that the installation works; for real answers name a GGUF model\n          of yours in bendi.yaml (start from bendi.example.yaml)",
			"演示模型只用来验证安装；要得到有用的回答，请在 bendi.yaml 中写上您自己的 GGUF 模型\n          (可从 bendi.example.yaml 改起)"))
	}
	p.printFilter(line, cfg, h.library.list())
	p.printBackends(line, cfg, h.around.deadEnds())
	p.printExperiments(line, h.lab.Experiments())
	label := p.say("routes", "路由")
	longest := 0
	for _, r := range cfg.Routes {
		longest = max(longest, len(r.Path))
	}
	for _, r := range cfg.Routes {
		line(label, "%-*s -> %s", longest, r.Path, p.routeText(cfg, r))
		label = ""
	}
	line(p.say("access", "访问"), "%s", p.accessText(h.door))
	if h.ground.auditor != nil {
		line(p.say("records", "日志"), p.say("%s, a line for each request, without its words", "%s，每个请求一行，不含内容"), h.ground.auditor.Dir)
	}
	if h.door.Closed && !cfg.Server.TLS.On() {
		line(p.say("warning", "警告"), "%s", p.say(
			"keys and words cross the network in clear: name a certificate (server.tls), or put a proxy with one before this",
			"密钥和内容在网络上以明文传输：请配置证书（server.tls），或在前面放置启用 TLS 的代理"))
	}
	if note := p.textNote(cfg); note != "" {
		line(p.say("warning", "警告"), "%s", note)
	}
	bases := make([]string, len(cfg.Routes))
	for i, r := range cfg.Routes {
		bases[i] = url + strings.TrimSuffix(r.Path, "/chat")
	}
	if h.identity != nil {
		line("TLS", "%s", h.identity)
		if cfg.Server.TLS.ACME.On() {
			line("", "%s", p.say("ordered in the background: port 443 of each name has to lead here; /readyz and the log say how it goes", "在后台申请：各域名的 443 端口须能到达本服务；进展见 /readyz 和日志"))
		}
	}
	if in.back != nil {
		line(p.say("operator", "管理"), "%s", in.back.url())
	}
	line("API", "%s", strings.Join(bases, "  "))
	if err != nil {
		for text := range strings.Lines(err.Error()) {
			line(p.say("error", "错误"), "%s", strings.TrimRight(text, "\n"))
		}
		fmt.Fprintln(w, p.say("Not ready: see above, then `bendi doctor`. Ctrl-C to stop.", "未就绪：原因见上，再运行 `bendi doctor`。按 Ctrl-C 停止。"))
		return
	}
	fmt.Fprintln(w)
	if a := cfg.Server.TLS.ACME; a.On() {
		url = "https://" + a.Domains[0]
	} else if h.identity != nil {
		url = underName(url, h.identity.Leaf())
	}
	key := ""
	if h.door.Needed() {
		key = ` -H "Authorization: Bearer $BENDI_API_KEY"`
	}
	if root := cfg.Server.TLS.RootFile; root != "" {
		key = " --cacert " + string(root) + key
	}
	line(p.say("try it", "试一试"), `curl %s%s%s -d '{"messages":[{"role":"user","content":"你好,你是谁?"}]}'`, url, cfg.Routes[0].Path, key)
	if url == defaultServer {
		line("", "bendi chat")
	} else {
		line("", "bendi chat --server %s", url)
	}
	fmt.Fprintln(w, p.sayf("Ready in %.1f s. Ctrl-C to stop.", "已就绪，用时 %.1f 秒。按 Ctrl-C 停止。", took.Seconds()))
}

// underName returns url with a host that cert is of, for clients refuse any other.
func underName(url string, cert *x509.Certificate) string {
	scheme, addr, _ := strings.Cut(url, "://")
	host, port, err := net.SplitHostPort(addr)
	if err != nil || cert.VerifyHostname(host) == nil {
		return url
	}
	for _, name := range cert.DNSNames {
		if !strings.HasPrefix(name, "*") {
			return scheme + "://" + net.JoinHostPort(name, port)
		}
	}
	if len(cert.IPAddresses) > 0 {
		return scheme + "://" + net.JoinHostPort(cert.IPAddresses[0].String(), port)
	}
	return url
}

// reachable returns the address at which this machine reaches a listener: one that
// listens on every address is named by the loopback's.
func reachable(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if ip := net.ParseIP(host); err == nil && (host == "" || ip != nil && ip.IsUnspecified()) {
		addr = net.JoinHostPort("127.0.0.1", port)
	}
	return addr
}

// width returns how many columns of a terminal a label takes: Chinese
// characters take two.
func width(s string) int {
	n := 0
	for _, c := range s {
		if n++; c > 0x2e80 {
			n++
		}
	}
	return n
}
