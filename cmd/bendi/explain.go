package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"bendi/chat"
	"bendi/config"
	"bendi/filter"
	"bendi/openaicompat"
	"bendi/openaicompat/wire"
	"bendi/router"
)

const explainPath = "/admin/explain"

// An inquiry asks what would be done with a request.
type inquiry struct {
	Route   string          `json:"route,omitempty"`   // empty: the first one
	Model   string          `json:"model,omitempty"`   // in place of the request's
	Key     string          `json:"key,omitempty"`     // name of the access key
	Request json.RawMessage `json:"request,omitempty"` // body of a chat request
}

// An explanation says what would be done with a request. It holds nothing of the
// request's texts.
type explanation struct {
	Route  string `json:"route"`
	Key    string `json:"key,omitempty"`
	Model  string `json:"model"` // as it is called on the route
	Filter string `json:"filter"`
	Egress string `json:"egress"`

	Found      []string   `json:"found"`             // classes of data
	Inside     bool       `json:"inside,omitempty"`  // the filter says that it has to stay
	Refused    string     `json:"refused,omitempty"` // by the filter, before anybody is chosen
	Experiment *armChoice `json:"experiment,omitempty"`
	Permission string     `json:"permission,omitempty"`
	Because    []string   `json:"because,omitempty"`

	Candidates []possibility `json:"candidates"`
	Error      string        `json:"error,omitempty"` // that the request would end with
}

// A possibility is a backend that may be asked, in that order, or why not.
type possibility struct {
	Backend  string `json:"backend"`
	As       string `json:"as"`
	Zone     string `json:"zone"`
	Masked   bool   `json:"masked,omitempty"`
	Tier     int    `json:"tier"`
	State    string `json:"state"` // of its breaker
	Excluded string `json:"excluded,omitempty"`
	Denies   string `json:"denies,omitempty"` // a class of data that keeps what masks from sending the request
	Busy     int    `json:"requests_in_flight,omitempty"`
}

// explain says what would be done with a request, by the tower that its route
// has, with nobody at the end of it who is asked.
func (n *neighbourhood) explain(ctx context.Context, in inquiry, shelf *filter.Shelf, policies map[string]*filter.Policy) (*explanation, error) {
	in.Route = cmp.Or(in.Route, n.cfg.Routes[0].Path)
	paths := n.cfg.Paths()
	i := slices.Index(paths, in.Route)
	if i < 0 {
		return nil, &chat.Error{Kind: chat.NotFound, Param: "route", Msg: fmt.Sprintf("There is no route %q; there are: %s.", in.Route, strings.Join(paths, ", "))}
	}
	r := n.cfg.Routes[i]
	if in.Key != "" && !knows(n.cfg, in.Key) {
		return nil, &chat.Error{Kind: chat.NotFound, Param: "key", Msg: fmt.Sprintf("There is no key %q, neither under access.keys nor in bendi key list.", in.Key)}
	}
	req := &chat.Request{N: 1, Messages: []chat.Message{chat.TextMessage(chat.User, "")}}
	if len(in.Request) > 0 {
		call, err := wire.DecodeRequest(in.Request)
		if err != nil {
			return nil, err
		}
		req = call.Request
	}
	req.Principal = in.Key
	if in.Model != "" {
		req.Model = in.Model
	}
	route, err := n.choices(r)
	if err != nil {
		return nil, err
	}
	e := &explanation{
		Route: r.Path, Key: in.Key, Filter: r.Filter, Egress: egressText(r.Egress), Found: []string{}, Candidates: []possibility{},
	}
	if e.Model, err = route.Resolve(req.Model); err != nil {
		return nil, err
	}
	end := &lookout{route: route}
	tower := chat.Model(end)
	if r.Filter != config.Off {
		policy := *policies[r.Filter]
		policy.Second = filter.Opinion{} // nobody is asked
		policy.Buffer, policy.BlockAs = filter.NoBuffer, filter.AsError
		tower = filter.Guard(end, filter.Options{Shelf: shelf, Policy: &policy, Cache: -1})
	}
	for _, err := range tower.Chat(ctx, req) {
		if err != nil && end.req == nil {
			refusal, ok := errors.AsType[*chat.Error](err)
			if !ok {
				return nil, err
			}
			e.Refused = refusal.Msg
			return e, nil
		}
	}
	if end.err != nil {
		return nil, end.err
	}
	e.Found, e.Inside = append(e.Found, end.req.Classes...), end.req.Inside
	d := end.decision
	if err := n.tryArm(e, r, end.req, &d); err != nil {
		return nil, err
	}
	e.Permission, e.Because = d.Permission.String(), d.Because
	for _, c := range d.Candidates {
		p := possibility{
			Backend: c.Backend, As: c.As, Zone: c.Zone.String(), Tier: c.Tier, State: c.State, Excluded: string(c.Excluded), Busy: c.Outstanding,
		}
		if _, _, b, ok := n.cfg.Backend(c.Backend); ok {
			p.Masked = b.Masked()
			p.Denies = denied(b, e.Found)
		}
		e.Candidates = append(e.Candidates, p)
	}
	if refusal, ok := errors.AsType[*chat.Error](d.Err); ok {
		e.Error = refusal.Msg
	} else if d.Err != nil {
		return nil, d.Err
	}
	return e, nil
}

// denied returns a class of data that a backend outside is not told, and is
// refused with.
func denied(b config.Backend, classes []string) string {
	for _, class := range classes {
		kind, personal := strings.CutPrefix(class, "pii.")
		if m, ok := b.Mask[kind]; personal && b.Outside() && (m == "deny" || !ok && b.Mask[config.Other] == "deny") {
			return class
		}
	}
	return ""
}

// choices returns a route to explain by. All its models are pools: those that
// run here too.
func (n *neighbourhood) choices(r config.Route) (*router.Route, error) {
	var offers []router.Offer
	for _, m := range r.Models {
		each := []config.RouteModel{m}
		if base, star := strings.CutSuffix(m.ID, ":*"); star {
			each = nil
			if l, ok := n.local(base).(chat.Lister); ok {
				for _, info := range l.Models() {
					if strings.HasPrefix(info.ID, base+":") && !slices.Contains(r.IDs(), info.ID) {
						each = append(each, config.RouteModel{ID: info.ID})
					}
				}
			}
		}
		for _, m := range each {
			pool, err := n.pool(r, m, nil)
			if err != nil {
				return nil, err
			}
			offers = append(offers, router.Offer{ModelInfo: pool.ModelInfo, Backend: m.ID, Model: pool})
		}
	}
	return router.New(offers, "", r.Aliases)
}

// A lookout is at the end of a tower, and sees what comes down to there.
type lookout struct {
	route    *router.Route
	req      *chat.Request
	decision router.Decision
	err      error
}

func (l *lookout) Chat(_ context.Context, req *chat.Request) iter.Seq2[chat.Event, error] {
	return func(yield func(chat.Event, error) bool) {
		l.req = req
		l.decision, l.err = l.route.Explain(req)
		if yield(chat.Event{Finish: chat.Stop}, nil) {
			yield(chat.Event{Usage: new(chat.Usage)}, nil)
		}
	}
}

// egressText says in a line what may leave.
func egressText(e config.Egress) string {
	var less []string
	for _, class := range slices.Sorted(maps.Keys(e.Classes)) {
		less = append(less, fmt.Sprintf("%s %s", class, e.Classes[class]))
	}
	for _, key := range slices.Sorted(maps.Keys(e.Keys)) {
		less = append(less, fmt.Sprintf("key %s %s", key, e.Keys[key]))
	}
	text := string(e.Route)
	if len(less) > 0 {
		text += ", but " + strings.Join(less, ", ")
	}
	return text
}

// A standIn is a model here that has not been loaded, and is asked nothing.
type standIn []chat.ModelInfo

func (s standIn) Models() []chat.ModelInfo { return s }

func (standIn) Chat(context.Context, *chat.Request) iter.Seq2[chat.Event, error] {
	return chat.Fail(errors.New("this model has not been loaded"))
}

// standIns returns what stands in for the models of a configuration.
func standIns(cfg *config.Config) func(id string) chat.Model {
	return func(id string) chat.Model {
		base, _, _ := strings.Cut(id, ":")
		m := cfg.Models[base]
		s := standIn{{ID: base, Context: m.Context}}
		for _, a := range slices.Sorted(maps.Keys(m.Adapters)) {
			s = append(s, chat.ModelInfo{ID: base + ":" + a, Context: m.Context})
		}
		return s
	}
}

// explainAction has a running server explain, with what it has learnt about its
// backends.
func (h *house) explainAction() openaicompat.Action {
	return openaicompat.Action{Method: http.MethodPost, Path: explainPath, Do: doing(func(ctx context.Context, in *inquiry) (any, error) {
		own := *h.around // which models here are added to, that are no backends
		own.known, own.backs, own.about = maps.Clone(own.known), nil, newRelations(nil, nil)
		own.decide = h.decide
		return own.explain(ctx, *in, h.library.shelf, h.policies)
	})}
}

func (p *program) explainCommand() *cobra.Command {
	var in inquiry
	var text, file, server, output string
	var ask bool
	cmd := &cobra.Command{
		Use:   "explain",
		Short: p.say("Say who would answer a request, what may leave the house, and why", "说明一个请求会由谁应答、哪些内容可以外发，以及原因"),
		Long: p.say(
			"Say who would answer a request, what the filter finds in it, what of it may leave the house, and why. Nothing is sent to any model, and nothing has to run; with --live a running server tells, which knows how its backends are. The exit code is 3 where the request would be refused.",
			"说明一个请求会由谁应答、过滤器识别出什么、哪些内容可以外发，以及原因。不会向任何模型发送内容，也无需启动服务；加 --live 则由运行中的服务回答，它了解各后端的状态。若请求会被拒绝，退出码为 3。"),
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if text != "" && file != "" {
				return usage(errors.New(p.say("--text and --body are two requests; give one of them", "--text 与 --body 只能给一个")))
			}
			if file != "" {
				body, err := p.readBody(file)
				if err != nil {
					return usage(err)
				}
				in.Request = body
			} else if text != "" {
				words, err := json.Marshal(map[string]any{"messages": []any{map[string]any{"role": "user", "content": text}}})
				if err != nil {
					return err
				}
				in.Request = words
			}
			if ask || server != "" {
				e := new(explanation)
				if err := p.admin(cmd.Context(), server, http.MethodPost, explainPath, in, e); err != nil {
					return err
				}
				return p.printExplanation(e, output)
			}
			e, err := p.explainHere(cmd.Context(), in)
			if err != nil {
				return err
			}
			return p.printExplanation(e, output)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&in.Route, "route", "", p.say("path of the route (default: the first one)", "路由的路径（默认：第一条）"))
	flags.StringVar(&in.Model, "model", "", p.say("model or alias (default: as the request says)", "模型或别名（默认：按请求）"))
	flags.StringVar(&in.Key, "key", "", p.say("name of the access key that asks", "发起请求的密钥名称"))
	flags.StringVar(&text, "text", "", p.say("what a user would say", "用户的一句话"))
	flags.StringVar(&file, "body", "", p.say("file with the body of a request, - for the standard input", "请求体文件，- 表示标准输入"))
	flags.BoolVar(&ask, "live", false, p.say("ask a running server", "询问运行中的服务"))
	flags.StringVar(&server, "server", "", p.sayf("that server (default: $BENDI_SERVER, else %s)", "该服务（默认：$BENDI_SERVER，否则 %s）", defaultServer))
	outputFlag(cmd, p, &output)
	return cmd
}

// mostBody is the size of the largest body that is explained.
const mostBody = 64 << 20

func (p *program) readBody(file string) ([]byte, error) {
	if file == "-" {
		return io.ReadAll(io.LimitReader(p.stdin, mostBody))
	}
	return os.ReadFile(file)
}

// explainHere explains by the configuration alone.
func (p *program) explainHere(ctx context.Context, in inquiry) (*explanation, error) {
	cfg, _, _, err := p.load(nil)
	if err != nil {
		return nil, err
	}
	rules, err := policies(cfg)
	if err != nil {
		return nil, usage(err)
	}
	lib, err := newLibrary(cfg.Lexicons, slog.New(slog.DiscardHandler), inForce(cfg, rules)...)
	if err != nil {
		return nil, usage(err)
	}
	n, err := meet(cfg, newRelations(nil, nil), standIns(cfg))
	if err != nil {
		return nil, err
	}
	defer n.close()
	e, err := n.explain(ctx, in, lib.shelf, rules)
	if err != nil {
		if said, ok := errors.AsType[*chat.Error](err); ok {
			return nil, usage(errors.New(said.Msg))
		}
		return nil, err
	}
	return e, nil
}

func (p *program) printExplanation(e *explanation, output string) error {
	refused := e.Refused != "" || e.Error != ""
	if output == "json" {
		if err := json.NewEncoder(p.stdout).Encode(e); err != nil {
			return err
		}
	} else {
		p.writeExplanation(e)
	}
	if refused {
		return exitError{code: exitProblems}
	}
	return nil
}

// ruleText names what an egress rule is about: a class of data is its own name.
func (p *program) ruleText(rule string) string {
	switch rule {
	case "the route":
		return p.say(rule, "路由")
	case "the key":
		return p.say(rule, "密钥")
	case "the filter":
		return p.say(rule, "过滤")
	case "keys, and this is asked without one":
		return p.say(rule, "密钥，而本请求未带密钥")
	}
	return rule
}

// egressSaid is the text of egressText in the language of the program.
func (p *program) egressSaid(text string) string {
	route, less, some := strings.Cut(text, ", but ")
	if !some {
		return text
	}
	rules := strings.Split(less, ", ")
	for i, rule := range rules {
		if key, ok := strings.CutPrefix(rule, "key "); ok {
			rules[i] = p.sayf("key %s", "密钥 %s", key)
		}
	}
	return route + p.say(", but ", "，但 ") + strings.Join(rules, p.say(", ", "、"))
}

func (p *program) writeExplanation(e *explanation) {
	line := func(label, format string, args ...any) {
		fmt.Fprintf(p.stdout, "%s%s%s\n", label, strings.Repeat(" ", max(1, 10-width(label))), fmt.Sprintf(format, args...))
	}
	line(p.say("route", "路由"), "%s  (%s)", e.Route, p.filterText(e.Filter))
	line(p.say("model", "模型"), "%s", e.Model)
	line(p.say("egress", "外发策略"), "%s", p.egressSaid(e.Egress))
	if e.Key != "" {
		line(p.say("asked by", "密钥"), "%s", e.Key)
	}
	found := p.say("nothing", "无")
	if len(e.Found) > 0 {
		found = strings.Join(e.Found, ", ")
	}
	if e.Inside {
		found += p.say("; it has to stay inside (route_local)", "；须留在内部 (route_local)")
	}
	if e.Refused != "" {
		line(p.say("refused", "拒绝"), "%s", e.Refused)
		return
	}
	line(p.say("found", "识别"), "%s", found)
	if e.Experiment != nil {
		line(p.say("arm", "实验组"), "%s", p.trialText(e.Experiment))
	}
	because := ""
	if len(e.Because) > 0 {
		rules := make([]string, len(e.Because))
		for i, rule := range e.Because {
			rules[i] = p.ruleText(rule)
		}
		because = p.sayf("  (because of %s)", "  （依据：%s）", strings.Join(rules, ", "))
	}
	line(p.say("may leave", "可否外发"), "%s%s", e.Permission, because)
	asked := 0
	for _, c := range e.Candidates {
		if c.Excluded == "" {
			asked++
		}
		order := fmt.Sprintf("%d.", asked)
		if c.Excluded != "" {
			order = "-"
		}
		zone := c.Zone
		if c.Masked {
			zone += p.say(", masked", "，屏蔽")
		}
		text := fmt.Sprintf("%-3s%s  (%s)", order, c.Backend, zone)
		if c.As != c.Backend {
			text += p.sayf(" as %s", " 名为 %s", c.As)
		}
		if c.State != "closed" {
			text += p.sayf("; breaker %s", "；熔断器 %s", c.State)
		}
		if c.Excluded != "" {
			text += p.sayf("; not asked: %s", "；不使用：%s", c.Excluded)
		} else if c.Denies != "" {
			text += p.sayf("; refuses %s, then the next is asked", "；拒收 %s，改用下一个", c.Denies)
		}
		line("", "%s", text)
	}
	if e.Error != "" {
		line(p.say("refused", "拒绝"), "%s", e.Error)
	}
}
