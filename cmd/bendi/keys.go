package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"bendi/access"
	"bendi/chat"
	"bendi/config"
)

func (p *program) keyCommand() *cobra.Command {
	k := &keyring{program: p}
	cmd := &cobra.Command{
		Use:   "key",
		Short: p.say("Make, list, rotate and revoke API keys", "创建、列出、轮换和吊销 API 密钥"),
		Long: p.say(
			"Make, list, rotate and revoke API keys. They are kept as hashes in the folder data of the configuration; a server that runs there takes a change over within a second, and none has to run. With --server, a running server elsewhere is asked, by a key with admin rights in BENDI_API_KEY.",
			"创建、列出、轮换和吊销 API 密钥。密钥以哈希形式保存在配置的 data 目录中；该目录上运行的服务会在一秒内采用变更，服务未运行时也可使用。加上 --server 则通过其他机器上运行的服务操作，需要把带管理权限的密钥放在 BENDI_API_KEY 中。"),
	}
	cmd.PersistentFlags().StringVar(&k.server, "server", "", p.say("running server to ask, in place of the folder on this machine", "要请求的运行中服务，不使用本机目录"))
	cmd.AddCommand(k.create(), k.list(), k.rotate(), k.revoke())
	return cmd
}

// A keyring does what the commands about keys do, in the folder of this machine
// or by a running server.
type keyring struct {
	*program
	server, output string
}

// store opens the keys in the folder.
func (k *keyring) store() (*access.Store, *config.Config, error) {
	cfg, _, _, err := k.load(nil)
	if err != nil {
		return nil, nil, err
	}
	s, err := openKeys(cfg, nil)
	return s, cfg, err
}

func (k *keyring) create() *cobra.Command {
	key := access.Key{}
	var expires string
	var labels, routes, models []string
	cmd := &cobra.Command{
		Use:   "create NAME",
		Short: k.say("Make a key, and print its secret, which nobody can be told again", "创建密钥并输出，之后无法再次查看"),
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			key.Name = args[0]
			var err error
			if key.Expires, err = timeOf(expires, time.Now()); err != nil {
				return usage(fmt.Errorf("--expires: %w", err))
			}
			for _, label := range labels {
				name, value, ok := strings.Cut(label, "=")
				if !ok {
					return usage(errors.New(k.say("--label wants NAME=VALUE", "--label 的格式为 名称=值")))
				}
				if key.Labels == nil {
					key.Labels = make(map[string]string)
				}
				key.Labels[name] = value
			}
			key.Scopes.Routes, key.Scopes.Models = routes, models // nil: all
			made := newKey{}
			if k.server != "" {
				err = k.admin(cmd.Context(), k.server, http.MethodPost, keysPath, key, &made)
			} else {
				made, err = k.make(key)
			}
			if err != nil {
				return err
			}
			return k.show(made, k.sayf("key %s: the line above is its secret, shown this once", "密钥 %s：上一行是密钥内容，只显示这一次", made.Key.Name))
		},
	}
	f := cmd.Flags()
	f.StringVar(&key.User, "user", "", k.say("whose key it is; the requests of a user are counted together", "密钥所属用户；同一用户的请求合并计数"))
	f.StringArrayVar(&labels, "label", nil, k.say("NAME=VALUE for whoever keeps the keys; may be repeated", "供管理用的标签 名称=值，可重复"))
	f.StringArrayVar(&routes, "route", nil, k.say("path that it may use, * at the end for all that begin so; may be repeated (default: all)", "可使用的路由，末尾可用 *，可重复（默认：全部）"))
	f.StringArrayVar(&models, "model", nil, k.say("model that it may use, likewise", "可使用的模型，同上"))
	f.StringVar(&expires, "expires", "", k.say("when it ends: 30d, 12h, 2027-01-31 or a time as 2027-01-31T12:00:00Z (default: never)", "到期时间：30d、12h、2027-01-31 或 2027-01-31T12:00:00Z（默认：永不）"))
	f.IntVar(&key.Priority, "priority", 0, k.say("of its requests, -10 to 10; above 0 goes first", "请求优先级，-10 到 10；大于 0 优先"))
	f.BoolVar(&key.Admin, "admin", false, k.say("it may do what the operator may", "允许执行管理操作"))
	f.BoolVar(&key.Metrics, "metrics", false, k.say("it may read /metrics, and nothing else unless it has routes", "允许读取 /metrics；除非指定了路由，别无其他权限"))
	f.BoolVar(&key.Inside, "inside", false, k.say("its requests never leave the house", "它的请求绝不外发"))
	f.Int64Var(&key.Limits.RequestsPerMinute, "requests-per-minute", 0, k.say("limit (default: that of limits.each_key)", "上限（默认取 limits.each_key）"))
	f.Int64Var(&key.Limits.TokensPerMinute, "tokens-per-minute", 0, k.say("likewise", "同上"))
	f.Int64Var(&key.Limits.RequestsPerDay, "requests-per-day", 0, k.say("likewise", "同上"))
	f.Int64Var(&key.Limits.TokensPerDay, "tokens-per-day", 0, k.say("likewise", "同上"))
	f.Int64Var(&key.Limits.Concurrent, "concurrent", 0, k.say("most requests at once, likewise", "同时进行的请求数上限，同上"))
	outputFlag(cmd, k.program, &k.output)
	return cmd
}

func (k *keyring) make(key access.Key) (made newKey, err error) {
	store, cfg, err := k.store()
	if err != nil {
		return made, err
	}
	if err := checkNew(cfg, key.Name); err != nil {
		return made, err
	}
	made.Key, made.Secret, err = store.Create(key)
	return made, err
}

// show prints a secret, alone on standard output so that a script can take it.
func (k *keyring) show(made newKey, text string) error {
	if k.output == "json" {
		return json.NewEncoder(k.stdout).Encode(made)
	}
	fmt.Fprintln(k.stdout, made.Secret)
	fmt.Fprintln(k.stderr, text)
	return nil
}

func (k *keyring) list() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "list",
		Short: k.say("List the keys, without their secrets", "列出密钥，不含密钥内容"),
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var answer struct {
				Keys []access.Key `json:"keys"`
			}
			if k.server != "" {
				if err := k.admin(cmd.Context(), k.server, http.MethodGet, keysPath, nil, &answer); err != nil {
					return err
				}
			} else {
				store, _, err := k.store()
				if err != nil {
					return err
				}
				answer.Keys = append([]access.Key{}, store.List()...)
			}
			if k.output == "json" {
				return json.NewEncoder(k.stdout).Encode(answer.Keys)
			}
			k.printKeys(answer.Keys)
			return nil
		},
	}
	outputFlag(cmd, k.program, &k.output)
	return cmd
}

// printKeys prints a table of keys, and what is only now and then said of one
// behind it.
func (k *keyring) printKeys(keys []access.Key) {
	if len(keys) == 0 {
		fmt.Fprintln(k.stdout, k.say("there is no key; make one with: bendi key create NAME", "没有密钥；创建密钥：bendi key create 名称"))
		return
	}
	rows := [][]string{cells(k.say("NAME", "名称"), k.say("STATE", "状态"), k.say("SECRET", "密钥"), k.say("USER", "用户"), k.say("CREATED", "创建"), k.say("MAY", "权限"))}
	for _, key := range keys {
		rows = append(rows, cells(key.Name, k.stateOf(key), "…"+key.Hint, key.User, key.Created.Format(time.DateOnly), k.mayOf(key)))
	}
	printTable(k.stdout, "", rows...)
}

func (k *keyring) stateOf(key access.Key) string {
	switch {
	case !key.Revoked.IsZero():
		return k.sayf("revoked %s", "已吊销 %s", key.Revoked.Format(time.DateOnly))
	case !key.Active(time.Now()):
		return k.sayf("expired %s", "已过期 %s", key.Expires.Format(time.DateOnly))
	case !key.Expires.IsZero():
		return k.sayf("until %s", "有效至 %s", key.Expires.Format(time.RFC3339))
	}
	return k.say("active", "有效")
}

func (k *keyring) mayOf(key access.Key) string {
	var parts []string
	add := func(text string) {
		if text != "" {
			parts = append(parts, text)
		}
	}
	if key.Admin {
		add(k.say("admin", "管理"))
	}
	if key.Metrics {
		add(k.say("metrics", "读取指标"))
	}
	add(strings.Join(key.Scopes.Routes, " "))
	add(strings.Join(key.Scopes.Models, " "))
	add(key.Limits.String())
	if key.Priority != 0 {
		add(k.sayf("priority %d", "优先级 %d", key.Priority))
	}
	if key.Inside {
		add(k.say("inside alone", "仅限内部"))
	}
	if len(parts) == 0 {
		return k.say("all routes and models", "全部路由和模型")
	}
	return strings.Join(parts, "; ")
}

func (k *keyring) rotate() *cobra.Command {
	var grace string
	cmd := &cobra.Command{
		Use:   "rotate NAME",
		Short: k.say("Give a key a new secret, and print it", "为密钥更换内容并输出"),
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			longer, err := graceOf(grace)
			if err != nil {
				return usage(fmt.Errorf("--grace: %w", err))
			}
			made := newKey{}
			if k.server != "" {
				err = k.admin(cmd.Context(), k.server, http.MethodPost, rotateKeyPath, keyBody{args[0], grace}, &made)
			} else {
				var store *access.Store
				if store, _, err = k.store(); err == nil {
					made.Key, made.Secret, err = store.Rotate(args[0], longer)
				}
			}
			if err != nil {
				return err
			}
			text := k.sayf("key %s: the line above is its new secret, shown this once; the old one opens nothing any more", "密钥 %s：上一行是新的密钥内容，只显示这一次；旧内容立即失效", made.Key.Name)
			if longer > 0 {
				text = k.sayf("key %s: the line above is its new secret, shown this once; the old one is taken for %v more", "密钥 %s：上一行是新的密钥内容，只显示这一次；旧内容在 %v 后失效", made.Key.Name, config.Duration(longer))
			}
			return k.show(made, text)
		},
	}
	cmd.Flags().StringVar(&grace, "grace", "", k.say("how much longer the old secret is taken, such as 24h or 7d (default: not at all)", "旧内容继续有效的时间，如 24h 或 7d（默认：立即失效）"))
	outputFlag(cmd, k.program, &k.output)
	return cmd
}

func (k *keyring) revoke() *cobra.Command {
	return &cobra.Command{
		Use:   "revoke NAME",
		Short: k.say("Have a key open nothing any more, for good", "永久吊销密钥"),
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var err error
			if k.server != "" {
				err = k.admin(cmd.Context(), k.server, http.MethodDelete, keysPath, keyBody{Name: args[0]}, nil)
			} else {
				var store *access.Store
				if store, _, err = k.store(); err == nil {
					_, err = store.Revoke(args[0])
				}
			}
			if err == nil {
				fmt.Fprintln(k.stdout, k.sayf("%s is revoked", "%s 已吊销", args[0]))
			}
			return err
		},
	}
}

// asInvalid makes what is wrong with a key something that whoever asked may be
// told.
func asInvalid(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*chat.Error](err); ok || errors.Is(err, context.Canceled) {
		return err
	}
	return &chat.Error{Kind: chat.Invalid, Code: chat.CodeInvalidValue, Msg: err.Error()}
}

// timeOf reads a time, or how long from now it is.
func timeOf(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	d, err := spanOf(text)
	if err != nil || d <= 0 {
		return time.Time{}, fmt.Errorf("want a time such as 2027-01-31, or how long from now, such as 30d or 12h, have %q", text)
	}
	return now.Add(d).UTC().Truncate(time.Second), nil
}

// graceOf reads how long an old secret is taken.
func graceOf(text string) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	d, err := spanOf(text)
	if err != nil || d < 0 || d > 366*24*time.Hour {
		return 0, fmt.Errorf("want how long the old secret is taken, such as 24h or 7d and at most 366d, have %q", text)
	}
	return d, nil
}

// spanOf reads a duration, which may be in days.
func spanOf(text string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		n, err := strconv.Atoi(days)
		if err != nil || n < 0 || n > 36600 {
			return 0, fmt.Errorf("want a number of days, have %q", text)
		}
		return time.Duration(n) * 24 * time.Hour, nil
	}
	return time.ParseDuration(text)
}
