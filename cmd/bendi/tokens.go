package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"bendi/access"
	"bendi/access/token"
	"bendi/config"
)

func (p *program) tokenCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "token",
		Short: p.say("Sign, verify and revoke tokens (JWT) that are taken for keys", "签发、验证和吊销可代替密钥的令牌（JWT）"),
	}
	cmd.AddCommand(p.signCommand(), p.verifyCommand(), p.denyCommand())
	return cmd
}

func (p *program) signCommand() *cobra.Command {
	var issuer, user, expires, keyFile, algorithm, kid string
	var claims []string
	cmd := &cobra.Command{
		Use:   "sign",
		Short: p.say("Sign a token as an issuer of the configuration", "以配置中的签发方签发令牌"),
		Long: p.say(
			"Sign a token as an issuer under access.jwt, and print it: with the secret there, or with a private key that --key names. It is meant for services of one's own and for tests; people get theirs from an identity provider.",
			"以 access.jwt 中的签发方签发令牌并输出：使用其中的 secret，或 --key 指定的私钥。用于自有服务和测试；用户的令牌应由身份提供方签发。"),
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			cfg, _, _, err := p.load(nil)
			if err != nil {
				return err
			}
			j, err := issuerOf(cfg, issuer)
			if err != nil {
				return usage(err)
			}
			if algorithm == "" {
				algorithm = string(j.Algorithms[0])
			}
			key := []byte(j.Secret.Reveal())
			if keyFile != "" {
				if key, err = os.ReadFile(keyFile); err != nil {
					return usage(err)
				}
			} else if len(key) == 0 {
				return usage(errors.New(p.sayf("the issuer %s signs with a private key: name its file with --key", "签发方 %s 使用私钥签名：请用 --key 指定私钥文件", j.Name)))
			}
			made, err := p.claimsOf(j, user, expires, claims)
			if err != nil {
				return usage(err)
			}
			text, err := token.Sign(algorithm, key, kid, made)
			if err != nil {
				return usage(err)
			}
			fmt.Fprintln(p.stdout, text)
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVar(&issuer, "issuer", "", p.say("name of the issuer under access.jwt (default: the only one)", "access.jwt 中的签发方名称（默认：唯一的一个）"))
	f.StringVar(&user, "user", "", p.say("whom the token is of", "令牌所属用户"))
	f.StringVar(&expires, "expires", "1h", p.say("how long it is taken, such as 12h or 30d, or until when", "有效期，如 12h、30d，或到期时间"))
	f.StringVar(&keyFile, "key", "", p.say("file of the private key in PEM", "私钥文件（PEM）"))
	f.StringVar(&algorithm, "algorithm", "", p.say("to sign with (default: the first of the issuer)", "签名算法（默认：签发方的第一个）"))
	f.StringVar(&kid, "kid", "", p.say("id of the key, for verifiers that have several", "密钥编号，供有多个公钥的验证方使用"))
	f.StringArrayVar(&claims, "claim", nil, p.say("NAME=VALUE to add, the value as JSON or else a text; may be repeated", "附加声明 名称=值，值为 JSON 或文本，可重复"))
	return cmd
}

// issuerOf returns the issuer of a name, or the only one.
func issuerOf(cfg *config.Config, name string) (config.JWT, error) {
	var names []string
	for _, j := range cfg.Access.JWT {
		if j.Name == name || name == "" && len(cfg.Access.JWT) == 1 {
			return j, nil
		}
		names = append(names, j.Name)
	}
	switch {
	case len(names) == 0:
		return config.JWT{}, errors.New("the configuration has no issuer: write one under access.jwt")
	case name == "":
		return config.JWT{}, fmt.Errorf("--issuer is missing; there are: %s", strings.Join(names, ", "))
	}
	return config.JWT{}, fmt.Errorf("there is no issuer %q; there are: %s", name, strings.Join(names, ", "))
}

// claimsOf returns what a token claims.
func (p *program) claimsOf(j config.JWT, user, expires string, more []string) (map[string]any, error) {
	now := time.Now()
	until, err := timeOf(expires, now)
	if err != nil || until.IsZero() {
		return nil, fmt.Errorf("--expires: want how long, such as 12h or 30d, have %q", expires)
	}
	name := j.Claims.User
	if name == "" {
		name = "sub"
	}
	if user == "" || strings.Contains(name, ".") {
		return nil, fmt.Errorf("--user is missing: it becomes the claim %s, which must not have dots in its name to be signed here", name)
	}
	claims := map[string]any{"iss": j.Issuer, "aud": j.Audience[0], "iat": now.Unix(), "exp": until.Unix(), "jti": rand.Text(), name: user}
	for _, c := range more {
		name, value, ok := strings.Cut(c, "=")
		if !ok || name == "" {
			return nil, errors.New("--claim wants NAME=VALUE")
		}
		var v any
		if json.Unmarshal([]byte(value), &v) != nil {
			v = value
		}
		claims[name] = v
	}
	return claims, nil
}

// readToken takes a token from the arguments, or from standard input, where
// others on the machine cannot see it.
func (p *program) readToken(args []string) (string, error) {
	if len(args) == 1 && args[0] != "-" {
		return args[0], nil
	}
	text, err := io.ReadAll(io.LimitReader(p.stdin, access.MaxSecretLength+2))
	return strings.TrimSpace(string(text)), err
}

// verifierOf makes what takes tokens, with what the keys' folder denies.
func verifierOf(cfg *config.Config) (*token.Verifier, *access.Store, error) {
	all, err := issuers(cfg)
	if err != nil {
		return nil, nil, err
	}
	if len(all) == 0 {
		_, err := issuerOf(cfg, "")
		return nil, nil, usage(err)
	}
	store, err := openKeys(cfg, nil)
	if err != nil {
		return nil, nil, err
	}
	v, err := token.New(all, store.Denied)
	return v, store, usage(err)
}

func (p *program) verifyCommand() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "verify [TOKEN]",
		Short: p.say("Say whether a token is taken, and what it opens; without an argument it is read from standard input", "检查令牌是否有效及其权限；不带参数则从标准输入读取"),
		Args:  cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			text, err := p.readToken(args)
			if err != nil {
				return err
			}
			cfg, _, _, err := p.load(nil)
			if err != nil {
				return err
			}
			v, _, err := verifierOf(cfg)
			if err != nil {
				return err
			}
			t, err := v.Read(cmd.Context(), text)
			if err != nil {
				return exitError{exitProblems, err}
			}
			who := t.Identity
			if output == "json" {
				return json.NewEncoder(p.stdout).Encode(map[string]any{
					"name": who.Name, "issuer": who.Proof.Issuer, "jti": who.Proof.ID, "expires": t.Expires.UTC(), "admin": who.Admin,
					"scopes": who.Scopes, "limits": who.Limits, "priority": who.Priority, "inside": who.Inside,
				})
			}
			k := &keyring{program: p}
			printTable(p.stdout, "",
				cells(p.say("user", "用户"), who.Name), cells("jti", who.Proof.ID), cells(p.say("until", "有效至"), t.Expires.UTC().Format(time.RFC3339)),
				cells(p.say("may", "权限"), k.mayOf(access.Key{Admin: who.Admin, Scopes: who.Scopes, Limits: who.Limits, Priority: who.Priority, Inside: who.Inside})))
			return nil
		},
	}
	outputFlag(cmd, p, &output)
	return cmd
}

func (p *program) denyCommand() *cobra.Command {
	var user, lasts string
	cmd := &cobra.Command{
		Use:   "revoke [JTI|TOKEN]",
		Short: p.say("Have tokens taken no more: one by its jti or by itself, or all that a user has", "吊销令牌：按 jti 或令牌本身吊销一个，或吊销某用户的全部令牌"),
		Long: p.say(
			"Have a token taken no more, by its jti or by itself; - reads it from standard input. With --user, those are meant that the user has now, as logs call them: issuer:user. A server that runs on the same folder data knows within a second, and cuts short what runs by them. Other machines have folders of their own.",
			"按 jti 或令牌本身吊销令牌；- 表示从标准输入读取。--user 吊销该用户现有的全部令牌，写法与日志一致：签发方:用户。使用同一 data 目录的服务在一秒内生效，并中断用它们进行的回答；其他机器有各自的目录。"),
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if (user == "") == (len(args) == 0) {
				return usage(errors.New(p.say("want the jti of a token or itself, or --user", "请给出令牌的 jti 或令牌本身，或 --user")))
			}
			cfg, _, _, err := p.load(nil)
			if err != nil {
				return err
			}
			d := access.Denial{User: user}
			if d.Until, err = timeOf(lasts, time.Now()); err != nil {
				return usage(fmt.Errorf("--for: %w", err))
			}
			v, store, err := verifierOf(cfg)
			if err != nil {
				return err
			}
			if user != "" {
				if d.Before, err = issuedBefore(cfg, user); err != nil {
					return usage(err)
				}
			} else if err := p.denial(cmd.Context(), v, args, &d); err != nil {
				return err
			}
			if err := store.Deny(d); err != nil {
				return err
			}
			if user != "" {
				fmt.Fprintln(p.stdout, p.sayf("the tokens of %s that were issued before %s are revoked", "%s 在 %s 之前签发的令牌已吊销", user, d.Before.UTC().Format(time.RFC3339)))
			} else {
				fmt.Fprintln(p.stdout, p.sayf("%s is revoked", "%s 已吊销", d.ID))
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&user, "user", "", p.say("whose tokens are meant, as logs call them: issuer:user", "吊销其全部令牌的用户，写法与日志一致：签发方:用户"))
	cmd.Flags().StringVar(&lasts, "for", "", p.say("how long that is remembered, at least as long as the tokens would be taken, such as 30d (default: for ever; of a TOKEN, until it has expired)", "记住多久，不应短于令牌的有效期，如 30d（默认：永久；给出令牌本身时到其过期为止）"))
	return cmd
}

// denial says which token is meant.
func (p *program) denial(ctx context.Context, v *token.Verifier, args []string, d *access.Denial) error {
	text, err := p.readToken(args)
	if err != nil {
		return err
	}
	if d.ID = text; strings.Count(text, ".") != 2 {
		return nil
	}
	t, err := v.Read(ctx, text)
	if err != nil {
		return err
	}
	if d.ID = t.Identity.Proof.ID; d.ID == "" {
		return errors.New(p.sayf("the token has no jti by which it could be told: revoke all of its user with --user %s, or wait until it expires", "令牌没有 jti，无法单独识别：请用 --user %s 吊销该用户的全部令牌，或等待其过期", t.Identity.Name))
	}
	if d.Until.IsZero() {
		d.Until = t.Expires.Add(time.Hour)
	}
	return nil
}

// issuedBefore returns when a user's tokens were issued at the latest that there
// are now, by whatever clock its issuer has.
func issuedBefore(cfg *config.Config, user string) (time.Time, error) {
	name, _, _ := strings.Cut(user, ":")
	all, err := issuers(cfg)
	if err != nil {
		return time.Time{}, err
	}
	var names []string
	for _, i := range all {
		if i.Name == name && len(user) > len(name)+1 {
			return time.Now().UTC().Add(i.Leeway).Truncate(time.Second), nil
		}
		names = append(names, i.Name+":…")
	}
	return time.Time{}, fmt.Errorf("--user: want a user as logs have it, such as %s, have %q", strings.Join(names, " or "), user)
}
